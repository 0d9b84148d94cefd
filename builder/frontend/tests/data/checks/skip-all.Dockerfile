# check=skip=all
from scratch AS X
ENV a b
