# covers: lower-case instructions
from scratch as one
copy a b
from one
Copy --from=ONE /b /c
