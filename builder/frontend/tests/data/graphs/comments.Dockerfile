# covers: comments, continuation
FROM localhost:5000/base:1
# comment
RUN echo 1 && \
  # inside
  echo 2 && \

  echo 3
   # indented
RUN echo \
# only
4
