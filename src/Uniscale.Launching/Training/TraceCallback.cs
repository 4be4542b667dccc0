using System.Globalization;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Training;
using Uniscale.Telemetry;

namespace Uniscale.Launching.Training;

/// <summary>Records some steps after the first ones, which also warm up, and writes the timelines of all ranks to one file.</summary>
/// <param name="path">Chrome trace.</param>
/// <param name="telemetry">Is told the share of communication that compute did not hide.</param>
internal sealed class TraceCallback(string path, RunTelemetry telemetry) : ITrainingCallback
{
    private const int FirstStep = 2, LastStep = 6;

    private int _steps;
    private bool _written;

    /// <inheritdoc/>
    public void Started(RankRuntime runtime) => runtime.Timeline!.IsRecording = false;

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        _steps++;
        runtime.Timeline!.IsRecording = _steps is >= FirstStep and < LastStep;
        if (_steps == LastStep) Write(runtime);
    }

    /// <inheritdoc/>
    public void Ended(RankRuntime runtime, TrainingResult result)
    {
        if (!_written) Write(runtime);
    }

    private void Write(RankRuntime runtime)
    {
        _written = true;
        var timelines = TimelineExchange.Gather(runtime.Timeline!, runtime.World.Group);
        if (runtime.World.Rank != 0) return;
        Timeline.Write(path, timelines.Select(timeline => (timeline.Rank, timeline.Events)));
        telemetry.Log.Information(string.Create(CultureInfo.InvariantCulture,
            $"Measured timeline: {path} (open it in https://ui.perfetto.dev). Communication that compute did not hide: {timelines.Average(t => t.ExposedShare):P0} of its time, {timelines.Max(t => t.ExposedShare):P0} on the worst rank."));
    }
}
