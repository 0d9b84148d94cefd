from scratch
copy a /
COPY b /
label a=b
from scratch AS x
copy c /
