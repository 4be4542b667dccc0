using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Experiments.Benchmarks;
using Uniscale.Telemetry;

namespace Uniscale.Cli.Planning;

/// <summary>What a training run measured, from its metrics.</summary>
/// <param name="Ranks">Ranks.</param>
/// <param name="Threads">Whether they were threads of one process.</param>
/// <param name="Seconds">Median seconds of a step.</param>
/// <param name="PeakBytes">Highest resident memory of the process that needed most.</param>
/// <param name="Heaviest">A rank of that process.</param>
/// <param name="Steps">All its steps.</param>
internal sealed record MeasuredRun(int Ranks, bool Threads, double Seconds, double PeakBytes, int Heaviest, int Steps)
{
    /// <summary>
    /// Steps at the beginning that are left out, of short runs half of them: pools fill, code is compiled and compiled again.
    /// </summary>
    public const int Warmup = 10;

    /// <summary>Reads it.</summary>
    /// <param name="folder">Folder of the run.</param>
    /// <exception cref="UserErrorException">It has too few steps.</exception>
    public static MeasuredRun Read(string folder)
    {
        var (ranks, threads, heaviest, peak) = (0, true, 0, 0.0);
        var seconds = new List<double>();
        MetricsFile.Read(
            Path.Combine(folder, TelemetryFactory.MetricsFileName),
            record =>
            {
                string? kind = record.GetProperty("kind").GetString();
                if (kind == "start")
                    (ranks, threads) = (
                        record.GetProperty("ranks").GetInt32(),
                        !record.TryGetProperty("transport", out var transport) || transport.GetString() is null or ""
                    );
                if (kind == "end" && record.TryGetProperty("memory", out var memory) && memory.ValueKind == JsonValueKind.Object)
                    (heaviest, peak) = (
                        memory.GetProperty("rank").GetInt32(),
                        Math.Max(peak, memory.GetProperty("measured_bytes").GetDouble())
                    );
                if (kind != "step")
                    return;
                seconds.Add(record.GetProperty("seconds").GetDouble());
                peak = Math.Max(peak, record.GetProperty("peak_memory_bytes").GetDouble());
            }
        );
        if (ranks == 0 || seconds.Count < 2)
            throw new UserErrorException($"{folder} has {seconds.Count} steps; a comparison needs two at least, and better {2 * Warmup}.");
        double median = Statistics.Median([.. seconds.Skip(Math.Min(Warmup, seconds.Count / 2))]);
        return new MeasuredRun(ranks, threads, median, peak, heaviest, seconds.Count);
    }
}
