using System.Globalization;
using Uniscale.Engine.Execution;
using Uniscale.Telemetry;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Runs;

/// <summary>
/// Records some steps after the first ones, which also warm up, and writes the timelines of all ranks to one file. At the end of the run it
/// tells where
/// the time of rank 0 went, if kernels were recorded.
/// </summary>
/// <param name="paths">Chrome traces; null: none.</param>
/// <param name="telemetry">Is told the share of communication that compute did not hide, and the table.</param>
internal sealed class TraceCallback(IReadOnlyList<string?> paths, RunTelemetry telemetry) : ITrainingCallback
{
    private const int FirstStep = 2,
        LastStep = 6;

    private int _steps;
    private bool _written;
    private StepProfile? _profile;

    /// <inheritdoc/>
    public void Started(RankRuntime runtime) => runtime.Timeline!.IsRecording = false;

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        _steps++;
        runtime.Timeline!.IsRecording = _steps is >= FirstStep and < LastStep;
        if (_steps == LastStep)
            Write(runtime);
    }

    /// <inheritdoc/>
    public void Ended(RankRuntime runtime, TrainingResult result)
    {
        if (!_written)
            Write(runtime);
        if (_profile is null)
            return;
        foreach (string line in ProfileText.Lines(_profile))
            telemetry.Log.Information("{Line:l}", line);
    }

    private void Write(RankRuntime runtime)
    {
        _written = true;
        runtime.Timeline!.IsRecording = false;
        var timelines = TimelineExchange.Gather(runtime.Timeline!, runtime.World.HostGroup);
        if (runtime.World.Rank != 0)
            return;
        foreach (string path in paths.OfType<string>())
            Timeline.Write(path, timelines.Select(timeline => (timeline.Rank, timeline.Events)));
        var events = timelines[0].Events;
        if (events.Any(entry => entry.Row == TimelineRow.Kernel))
            _profile = StepProfile.Of(events, runtime.Specification.Model.Head);
        telemetry.Log.Information(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Measured timeline: {string.Join(", ", paths.OfType<string>())} (open it in https://ui.perfetto.dev). Communication that compute did not hide: {timelines.Average(t => t.ExposedShare):P0} of its time, {timelines.Max(t => t.ExposedShare):P0} on the worst rank."
            )
        );
    }
}
