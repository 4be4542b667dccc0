using System.Diagnostics;
using System.Runtime.InteropServices;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Mpi;

namespace Uniscale.RankProgram;

/// <summary>All-reduce of several sizes, as tests/benchmarks/allreduce_mpi.c does it in C.</summary>
internal static class Speed
{
    private const int Rounds = 25;

    /// <summary>Between processes.</summary>
    public static int OverMpi()
    {
        using var world = MpiWorld.Join();
        Measure(world, "over MPI");
        return 0;
    }

    /// <summary>Between threads.</summary>
    public static int InProcess(int ranks)
    {
        var threads = InProcessWorld.Create(ranks).Select(world => new Thread(() =>
        {
            using (world) Measure(world, "in one process");
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return 0;
    }

    private static void Measure(IWorld world, string how)
    {
        foreach (double mebibytes in (double[])[64, 1, 1.0 / 16, 1.0 / 1024])
        {
            long count = (long)(mebibytes * (1 << 20) / sizeof(float));
            nint memory = Marshal.AllocHGlobal((nint)(count * sizeof(float)));
            for (long i = 0; i < count; i++)
                Marshal.WriteInt32(memory + (nint)(i * sizeof(float)), BitConverter.SingleToInt32Bits(1e-3f * (i % 1000)));
            var seconds = Time(world.Group, new CommBuffer(memory, count, ElementType.Float32));
            Marshal.FreeHGlobal(memory);
            if (world.Rank != 0) continue;
            double median = seconds[Rounds / 2];
            Console.WriteLine(FormattableString.Invariant(
                $"Uniscale {how}, {world.Size} ranks, {mebibytes:0.###} MiB: {median * 1e3:0.000} ms, {count * sizeof(float) / median / 1e9:0.00} GB/s (best {count * sizeof(float) / seconds[0] / 1e9:0.00})"));
        }
    }

    private static List<double> Time(IProcessGroup group, CommBuffer buffer)
    {
        var seconds = new List<double>();
        for (int round = -3; round < Rounds; round++)
        {
            group.Barrier().Wait();
            var watch = Stopwatch.StartNew();
            group.AllReduce(buffer).Wait();
            if (round >= 0) seconds.Add(watch.Elapsed.TotalSeconds);
        }
        seconds.Sort();
        return seconds;
    }
}
