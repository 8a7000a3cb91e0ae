"""How fast the whole pipeline is, beside the bare SDKs doing the same without it.

Every ratio is made within one run, on one machine, with ours and bare taking turns: absolute
figures depend on the machine, the ratios much less.
"""
