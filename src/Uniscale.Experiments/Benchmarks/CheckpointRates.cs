using System.Globalization;
using Uniscale.Checkpoints;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Kernels.Cpu;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>
/// The checkpoint benchmark as medians: the write beside a plain write, the copy that holds training up beside a plain copy, the load
/// beside a plain write.
/// </summary>
public static class CheckpointRates
{
    /// <summary>Saves and loads in a folder of its own below <paramref name="directory"/>.</summary>
    public static IReadOnlyList<Measurement> Measure(string directory, int mebibytes, int rounds)
    {
        if (!Directory.Exists(directory))
            throw new UserErrorException($"There is no folder {directory}: name one where checkpoints would be written.");
        using var world = InProcessWorld.Create(1)[0];
        var all = CheckpointBenchmark
            .Run(directory, world, (long)mebibytes << 20, rounds, new CheckpointOptions { Direct = true })
            .ToList();
        double plain = Rate(all, m => m.PlainWrite),
            copy = PeakSpeed.CopyBandwidth(threads: 1);
        string detail = string.Create(CultureInfo.InvariantCulture, $"{mebibytes} MiB, median of {rounds}");
        return
        [
            Row("held up by a save", m => m.Save.Blocked, Yardstick.Copy, copy),
            Row("write a checkpoint, fsync", m => m.Save.Writing, Yardstick.Write, plain),
            Row("save until committed", m => m.Save.Total, Yardstick.Write, plain),
            Row("load, digests proved", m => m.Load, Yardstick.Write, plain),
        ];

        Measurement Row(string name, Func<CheckpointMeasurement, TimeSpan> time, Yardstick yardstick, double rate) =>
            new(name, detail, Statistics.Median(all.Select(m => time(m).TotalSeconds)), Rate(all, time), yardstick, rate);
    }

    private static double Rate(IEnumerable<CheckpointMeasurement> all, Func<CheckpointMeasurement, TimeSpan> time) =>
        Statistics.Median(all.Select(m => m.SizeBytes / time(m).TotalSeconds));
}
