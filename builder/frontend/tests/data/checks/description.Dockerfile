# check=experimental=all
# nothing about a
ARG a=1
# a is good
ARG b=2
# b is better
ARG c=3 b=4

# not
FROM scratch AS x
# x is a stage
FROM scratch AS y

#
# z
FROM scratch AS z
# ARG w
ARG w
# one
# v two
ARG v
