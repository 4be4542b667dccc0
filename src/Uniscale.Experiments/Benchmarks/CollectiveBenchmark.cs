using System.Diagnostics;
using TorchSharp;
using Uniscale.Collectives;
using Uniscale.Engine.Devices;
using Uniscale.Kernels.Cpu;
using Uniscale.Launching.Ranks;
using Uniscale.Torch;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>
/// Collectives of fp32 between ranks, against a plain copy of one thread measured between the rounds. Rates are bytes of the whole buffer
/// by the time of the slowest rank.
/// </summary>
/// <param name="ranks">Ranks as threads; a launched job has its own number.</param>
/// <param name="rounds">Rounds; the median counts.</param>
public sealed class CollectiveBenchmark(int ranks, int rounds)
{
    private static readonly long[] Sizes = [64 << 20, 1 << 20, 64 << 10, 1 << 10];

    /// <summary>Runs; null on ranks of a launched job that are not the first.</summary>
    public IReadOnlyList<Measurement>? Run()
    {
        IReadOnlyList<Measurement>? result = null;
        var environment = RankEnvironment.Detect();
        if (environment.IsLaunched)
            ProcessRank.Run(environment, Measure);
        else
            InProcessLauncher.Run(ranks, Measure);
        return result;

        void Measure(IWorld world)
        {
            TorchThreads.Set(1);
            string where = environment.IsLaunched ? "processes" : "threads";
            using var copy = world.Rank == 0 ? new PlainCopy() : null;
            Measurement[] mine = [.. Sizes.SelectMany(bytes => Collectives(world, copy, bytes, $"{world.Size} ranks as {where}"))];
            if (world.Rank == 0)
                result = mine;
        }
    }

    private IEnumerable<Measurement> Collectives(IWorld world, PlainCopy? plain, long bytes, string where)
    {
        using var scope = torch.NewDisposeScope();
        long count = bytes / sizeof(float) / world.Size * world.Size;
        var (whole, part) = (torch.zeros(count), torch.zeros(count / world.Size));
        var (all, mine) = (TensorBuffer.Of(whole), TensorBuffer.Of(part));
        string detail = $"{bytes >> 10} KiB fp32, {where}";
        yield return Time(world, plain, "all-reduce", detail, bytes, () => world.Group.AllReduce(all));
        yield return Time(world, plain, "reduce-scatter", detail, bytes, () => world.Group.ReduceScatter(all, mine));
        yield return Time(world, plain, "all-gather", detail, bytes, () => world.Group.AllGather(mine, all));
    }

    private Measurement Time(IWorld world, PlainCopy? plain, string name, string detail, long bytes, Func<IWork> body)
    {
        var (seconds, copies) = (new double[rounds], new double[rounds]);
        for (int round = -2; round < rounds; round++)
        {
            double copy = plain?.Bandwidth(threads: 1) ?? 0;
            body().Wait();
            world.Group.Barrier().Wait();
            long start = Stopwatch.GetTimestamp();
            body().Wait();
            world.Group.Barrier().Wait();
            if (round >= 0)
                (seconds[round], copies[round]) = (Stopwatch.GetElapsedTime(start).TotalSeconds, copy);
        }
        double median = Statistics.Median(seconds);
        return new Measurement(name, detail, median, bytes / median, Yardstick.Copy, Statistics.Median(copies));
    }
}
