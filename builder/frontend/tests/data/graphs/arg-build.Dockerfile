# covers: ARG, ARG several
# opt: build-arg:A=given
# opt: build-arg:B=over
FROM localhost:5000/base:1
ARG A B=2 C="x y"
ARG D=${B}-${C}
RUN echo $A $B $C $D
