using System.Diagnostics;
using System.Runtime.InteropServices;
using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Mpi;

namespace Uniscale.Collectives.RankProgram;

/// <summary>All-reduce of several sizes, as tests/benchmarks/allreduce_mpi.c does it in C, and the way of a small message.</summary>
internal static class Speed
{
    private const int Rounds = 25;

    /// <summary>Between processes.</summary>
    public static int OverMpi()
    {
        using var world = MpiWorld.Join();
        Measure(world, $"over {world.Transport}");
        return 0;
    }

    /// <summary>Between threads.</summary>
    public static int InProcess(int ranks)
    {
        var threads = InProcessWorld
            .Create(ranks)
            .Select(world => new Thread(() =>
            {
                using (world)
                    Measure(world, "in one process");
            }))
            .ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return 0;
    }

    private static void Measure(IWorld world, string how)
    {
        MeasureMessage(world, how);
        foreach (double mebibytes in (double[])[64, 1, 1.0 / 16, 1.0 / 1024])
        {
            long count = (long)(mebibytes * (1 << 20) / sizeof(float));
            nint memory = Marshal.AllocHGlobal((nint)(count * sizeof(float)));
            for (long i = 0; i < count; i++)
                Marshal.WriteInt32(memory + (nint)(i * sizeof(float)), BitConverter.SingleToInt32Bits(1e-3f * (i % 1000)));
            var seconds = Time(world.Group, new CommBuffer(memory, count, ElementType.Float32));
            Marshal.FreeHGlobal(memory);
            if (world.Rank != 0)
                continue;
            double median = seconds[Rounds / 2];
            Console.WriteLine(
                FormattableString.Invariant(
                    $"Uniscale {how}, {world.Size} ranks, {mebibytes:0.###} MiB: {median * 1e3:0.000} ms, {count * sizeof(float) / median / 1e9:0.00} GB/s (best {count * sizeof(float) / seconds[0] / 1e9:0.00})"
                )
            );
        }
    }

    /// <summary>A message of one element from rank 0 to rank 1 and back; half of the time.</summary>
    private static void MeasureMessage(IWorld world, string how)
    {
        const int messages = 2000;
        nint memory = Marshal.AllocHGlobal(sizeof(float));
        var buffer = new CommBuffer(memory, 1, ElementType.Float32);
        var seconds = new List<double>();
        for (int round = -1; round < 5; round++)
        {
            world.Group.Barrier().Wait();
            var watch = Stopwatch.StartNew();
            for (int i = 0; i < messages && world.Rank < 2; i++)
            {
                if (world.Rank == i % 2)
                    world.Group.Send(buffer, 1 - world.Rank).Wait();
                else
                    world.Group.Receive(buffer, 1 - world.Rank).Wait();
            }
            if (round >= 0)
                seconds.Add(watch.Elapsed.TotalSeconds / messages);
        }
        Marshal.FreeHGlobal(memory);
        seconds.Sort();
        if (world.Rank == 0)
            Console.WriteLine(
                FormattableString.Invariant($"Uniscale {how}, {world.Size} ranks, a message of 4 bytes: {seconds[2] * 1e6:0.0} us")
            );
    }

    private static List<double> Time(IProcessGroup group, CommBuffer buffer)
    {
        var seconds = new List<double>();
        for (int round = -3; round < Rounds; round++)
        {
            group.Barrier().Wait();
            var watch = Stopwatch.StartNew();
            group.AllReduce(buffer).Wait();
            if (round >= 0)
                seconds.Add(watch.Elapsed.TotalSeconds);
        }
        seconds.Sort();
        return seconds;
    }
}
