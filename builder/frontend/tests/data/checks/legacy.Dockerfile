FROM scratch
ENV a b
ENV a b c=d
ENV a=b c=d
LABEL x y
LABEL x="y z"
env e f
