/* Speed of MPI's own all-reduce from C: the figure that Uniscale's collectives are held against.
 *
 *     mpicc -O3 -march=native -o /tmp/allreduce_mpi tests/benchmarks/allreduce_mpi.c
 *     mpirun -n 2 /tmp/allreduce_mpi [MiB] [rounds]
 *
 * Prints the median over the rounds of bytes of one rank's buffer per second. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int rank, size;
    double megabytes = argc > 1 ? atof(argv[1]) : 64;
    int rounds = argc > 2 ? atoi(argv[2]) : 25;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    size_t count = (size_t)(megabytes * (1 << 20) / sizeof(float));
    float *buffer = malloc(count * sizeof(float));
    double *seconds = malloc(rounds * sizeof(double));
    for (size_t i = 0; i < count; i++) buffer[i] = 1e-3f * (float)(i % 1000);
    MPI_Allreduce(MPI_IN_PLACE, buffer, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    for (int round = 0; round < rounds; round++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double start = MPI_Wtime();
        MPI_Allreduce(MPI_IN_PLACE, buffer, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        seconds[round] = MPI_Wtime() - start;
    }
    qsort(seconds, rounds, sizeof(double), by_value);
    double median = seconds[rounds / 2];
    if (rank == 0)
        printf("MPI from C, %d ranks, %g MiB: %.2f ms, %.2f GB/s (best %.2f)\n", size, megabytes, median * 1e3,
               count * sizeof(float) / median / 1e9, count * sizeof(float) / seconds[0] / 1e9);
    MPI_Finalize();
    return 0;
}
