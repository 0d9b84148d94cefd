# covers: FROM image without layers
FROM localhost:5000/empty:1
COPY a b
