/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/hash.h"
#include "util/macros.h"

/* The vectors published with SipHash-2-4: key 00 01 .. 0f, message i is the i bytes 00 01 .. */
static const struct hash_key vector_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static const uint64_t vectors[] = {
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
        0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
        0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
        0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
        0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
        0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
        0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
        0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
};

static void the_published_vectors_come_out(void **state)
{
	uint8_t message[ARRAY_SIZE(vectors)];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		message[i] = (uint8_t)i;
		assert_true(hash_bytes(&vector_key, message, i) == vectors[i]);
	}
}

static void pieces_hash_as_the_whole_does(void **state)
{
	uint8_t message[40];

	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 7);

	for (size_t a = 0; a <= sizeof(message); a++) {
		for (size_t b = a; b <= sizeof(message); b++) {
			struct hash_state h;

			hash_init(&h, &vector_key);
			hash_append(&h, message, a);
			hash_append(&h, message + a, b - a);
			hash_append(&h, message + b, sizeof(message) - b);
			assert_true(hash_finish(&h) ==
			            hash_bytes(&vector_key, message, sizeof(message)));
		}
	}
}

static void both_halves_of_the_key_count(void **state)
{
	struct hash_key other = vector_key;

	other.k0 ^= 1;
	assert_true(hash_bytes(&other, "x", 1) != hash_bytes(&vector_key, "x", 1));
	other.k0 ^= 1;
	other.k1 ^= 1;
	assert_true(hash_bytes(&other, "x", 1) != hash_bytes(&vector_key, "x", 1));
}

static void the_process_key_is_made_once(void **state)
{
	const struct hash_key *key = hash_process_key();
	struct hash_key before = *key;

	assert_true(before.k0 != 0 || before.k1 != 0);
	assert_ptr_equal(hash_process_key(), key);
	assert_memory_equal(&before, key, sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_published_vectors_come_out),
	        cmocka_unit_test(pieces_hash_as_the_whole_does),
	        cmocka_unit_test(both_halves_of_the_key_count),
	        cmocka_unit_test(the_process_key_is_made_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
