# SPDX-License-Identifier: MIT
"""
The same calls on a plain directory and on the view.

A *cell* is one operation on operands in one state each, in a directory of its own: its source is made twice
(states.py), once as the provider's source and once as the plain directory; then the operands are brought into
their states, the operation is done, and what it returned and the whole tree are looked at (cell.py), in the same
way on either side.  What may differ is in design.py, nothing else may.
"""
