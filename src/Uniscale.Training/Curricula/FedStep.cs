using System.Globalization;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Telemetry;

namespace Uniscale.Training.Curricula;

/// <summary>One step as a run's metrics tell of it.</summary>
/// <param name="Step">Its number.</param>
/// <param name="StartTokens">Tokens consumed before it.</param>
/// <param name="Tokens">Tokens of its batch.</param>
/// <param name="Digest">Digest of what was fed.</param>
public sealed record FedStep(long Step, long StartTokens, long Tokens, ulong Digest)
{
    /// <summary>The steps in the metrics of a run, by position.</summary>
    /// <exception cref="UserErrorException">There are none.</exception>
    public static IReadOnlyList<FedStep> Read(string run)
    {
        string path = Path.Combine(run, TelemetryFactory.MetricsFileName);
        if (!File.Exists(path))
            throw new UserErrorException($"{path} does not exist; give the directory of a run that has trained.");
        var steps = new SortedDictionary<long, FedStep>();
        MetricsFile.Read(
            path,
            record =>
            {
                if (Parse(record) is { } step)
                    steps[step.StartTokens] = step;
            }
        );
        return steps.Count > 0 ? [.. steps.Values] : throw new UserErrorException($"{path} tells of no step yet.");
    }

    /// <summary>Compares a run's steps with those of another run at the same positions.</summary>
    /// <returns>How many both have.</returns>
    /// <exception cref="UserErrorException">A step was fed something else, or they have none in common.</exception>
    public static int CountAgreeing(IReadOnlyList<FedStep> steps, string run, string other)
    {
        var theirs = Read(other).ToDictionary(step => step.StartTokens);
        int count = 0;
        foreach (var step in steps)
        {
            if (!theirs.TryGetValue(step.StartTokens, out var their))
                continue;
            if (their.Tokens != step.Tokens || their.Digest != step.Digest)
                throw new UserErrorException(
                    $"Step {step.Step}, after {step.StartTokens} tokens, was fed something else in {run} than in {other}."
                );
            count++;
        }
        return count > 0 ? count : throw new UserErrorException($"{run} and {other} have no step in common.");
    }

    private static FedStep? Parse(JsonElement record)
    {
        if (record.GetProperty("kind").GetString() != "step")
            return null;
        long tokens = record.GetProperty("batch_tokens").GetInt64();
        return new FedStep(
            record.GetProperty("step").GetInt64(),
            record.GetProperty("consumed_tokens").GetInt64() - tokens,
            tokens,
            ulong.Parse(record.GetProperty("data_digest").GetString()!, NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        );
    }
}
