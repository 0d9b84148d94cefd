# covers: expand :-, expand -, expand :+, expand +, expand :?, expand ?
FROM scratch
ARG A=a E=
COPY a /${A:-x}/${N:-d}/${N-d2}/${E:-e}/${E-f}
COPY a /${A:+p}/${N:+q}r/${E:+s}t/${E+u}
COPY a /${A:?msg}/${A?msg}/${E?}
