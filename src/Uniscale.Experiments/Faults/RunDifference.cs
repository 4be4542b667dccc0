using System.Text.Json;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Telemetry;

namespace Uniscale.Experiments.Faults;

/// <summary>What two runs that should be one differ in.</summary>
internal static class RunDifference
{
    /// <summary>What runs and rounds write down of answers.</summary>
    private static readonly string[] Written = ["answers-*.jsonl", "patches.jsonl", "pairs.jsonl"];

    /// <summary>
    /// What two runs differ in, or two directories of rounds: the last checkpoints, where their losses part, and answers and pairs that
    /// were written down; empty: nothing.
    /// </summary>
    /// <param name="whole">Directory of the unbroken one.</param>
    /// <param name="run">Directory of the other one.</param>
    public static string Of(string whole, string run)
    {
        string[] parts =
        [
            .. Directory
                .EnumerateDirectories(whole, "checkpoints", SearchOption.AllDirectories)
                .Select(checkpoints => Path.GetRelativePath(whole, Path.GetDirectoryName(checkpoints)!))
                .Order(),
        ];
        foreach (string part in parts.DefaultIfEmpty("."))
        {
            if (OfRun(Path.Combine(whole, part), Path.Combine(run, part)) is { Length: > 0 } difference)
                return part == "." ? difference : $"{part}: {difference}";
        }
        return Written
            .SelectMany(pattern => Directory.EnumerateFiles(whole, pattern, SearchOption.AllDirectories))
            .Select(file => Path.GetRelativePath(whole, file))
            .Where(file => !Same(Path.Combine(whole, file), Path.Combine(run, file)))
            .Select(file => $"{file} is not that of the unbroken run")
            .FirstOrDefault("");
    }

    private static bool Same(string first, string second) =>
        File.Exists(second) && File.ReadAllBytes(first).AsSpan().SequenceEqual(File.ReadAllBytes(second));

    private static string OfRun(string whole, string run)
    {
        try
        {
            var (first, second) = (
                CheckpointReader.Open(CheckpointCatalog.Find(whole)),
                CheckpointReader.Open(CheckpointCatalog.Find(run))
            );
            if (first.Manifest.Step != second.Manifest.Step)
                return $"it ended at step {second.Manifest.Step}, not {first.Manifest.Step}";
            var different = CheckpointDiff.Compare(first, second).Where(tensor => !tensor.BitEqual).ToList();
            return different.Count == 0
                ? ""
                : $"{different.Count} tensors differ from the unbroken run's, the first is {different[0].Name}; {Parting(whole, run)}";
        }
        catch (CheckpointException failure)
        {
            return failure.Message;
        }
    }

    private static string Parting(string whole, string run)
    {
        var (expected, told) = (Losses(whole), Losses(run));
        foreach (var (step, loss, pass) in told)
        {
            if (expected.FindLast(entry => entry.Step == step) is { Step: > 0 } other && !other.Loss.Equals(loss))
                return $"at step {step}{(pass > 1 ? $" (pass {pass})" : "")} the loss was {loss:R}, not {other.Loss:R}";
        }
        return "the losses of all steps are the same";
    }

    /// <summary>Losses in the order in which steps were done, with how often each had been.</summary>
    private static List<(long Step, double Loss, int Pass)> Losses(string run)
    {
        var losses = new List<(long Step, double Loss, int Pass)>();
        var passes = new Dictionary<long, int>();
        MetricsFile.Read(
            Path.Combine(run, "metrics.jsonl"),
            record =>
            {
                if (
                    record.GetProperty("kind").GetString() != "step"
                    || record.GetProperty("loss") is not { ValueKind: JsonValueKind.Number } loss
                )
                    return;
                long step = record.GetProperty("step").GetInt64();
                losses.Add((step, loss.GetDouble(), passes[step] = passes.GetValueOrDefault(step) + 1));
            }
        );
        return losses;
    }
}
