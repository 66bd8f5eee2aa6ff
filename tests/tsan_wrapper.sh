#!/bin/sh
# Address randomisation of newer kernels and this sanitizer do not go together.
exec setarch -R "$@"
