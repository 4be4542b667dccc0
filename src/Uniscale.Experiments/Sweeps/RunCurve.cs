using System.Text.Json;
using Uniscale.Telemetry;

namespace Uniscale.Experiments.Sweeps;

/// <summary>What a run's metrics file tells of its metric, while it goes on or afterwards.</summary>
public sealed class RunCurve
{
    /// <summary>A single step's loss depends on its batch; the mean of these many much less.</summary>
    private const int TrainingWindow = 10;

    private readonly SortedList<long, double> _values;

    /// <param name="values">Metric by step.</param>
    /// <param name="totalSteps">Steps of the whole run; 0: not known yet.</param>
    /// <param name="hasFinished">Whether the run has done and saved all its steps.</param>
    public RunCurve(IEnumerable<KeyValuePair<long, double>> values, long totalSteps, bool hasFinished) =>
        (_values, TotalSteps, HasFinished) = (new SortedList<long, double>(values.ToDictionary()), totalSteps, hasFinished);

    /// <summary>A run that has not begun.</summary>
    public static RunCurve Empty { get; } = new([], totalSteps: 0, hasFinished: false);

    /// <summary>Steps of the whole run; 0: not known yet.</summary>
    public long TotalSteps { get; }

    /// <summary>Whether the run has done and saved all its steps.</summary>
    public bool HasFinished { get; }

    /// <summary>Every known step with its value.</summary>
    public IReadOnlyList<KeyValuePair<long, double>> Points => [.. _values];

    /// <summary>The last step with a value; 0: none yet.</summary>
    public long LastStep => _values.Count == 0 ? 0 : _values.GetKeyAtIndex(_values.Count - 1);

    /// <summary>The value at the last step; NaN: none yet.</summary>
    public double Last => _values.Count == 0 ? double.NaN : _values.GetValueAtIndex(_values.Count - 1);

    /// <summary>The value at a step, or at the end of a run that ended before; null: it has not come so far.</summary>
    public double? At(long step) =>
        _values.TryGetValue(step, out double value) ? value
        : HasFinished && LastStep < step ? Last
        : null;

    /// <summary>Reads a run's directory; a run that has not begun is empty.</summary>
    public static RunCurve Read(string runDirectory, SweepMetric metric)
    {
        string path = Path.Combine(runDirectory, TelemetryFactory.MetricsFileName);
        if (!File.Exists(path))
            return Empty;
        var losses = new SortedDictionary<long, double>();
        var validations = new SortedDictionary<long, double>();
        long totalSteps = 0;
        bool hasFinished = false;
        MetricsFile.Read(
            path,
            record =>
            {
                switch (record.GetProperty("kind").GetString())
                {
                    case "start":
                        (totalSteps, hasFinished) = (record.GetProperty("total_steps").GetInt64(), false);
                        break;
                    case "step":
                        losses[record.GetProperty("step").GetInt64()] = Number(record);
                        break;
                    // Of several sources the mean over all tokens is told last, by the name "all".
                    case "validation":
                        validations[record.GetProperty("step").GetInt64()] = Number(record);
                        break;
                    case "end":
                        hasFinished = record.GetProperty("finished").GetBoolean();
                        break;
                }
            },
            mayBeginLate: true
        );
        return new RunCurve(metric == SweepMetric.Validation ? validations : Smoothed(losses), totalSteps, hasFinished);
    }

    private static IEnumerable<KeyValuePair<long, double>> Smoothed(SortedDictionary<long, double> losses)
    {
        var window = new Queue<double>();
        foreach (var (step, loss) in losses)
        {
            if (window.Count == TrainingWindow)
                window.Dequeue();
            window.Enqueue(loss);
            yield return KeyValuePair.Create(step, window.Average());
        }
    }

    private static double Number(JsonElement record) =>
        record.GetProperty("loss") is { ValueKind: JsonValueKind.Number } loss ? loss.GetDouble() : double.NaN;
}
