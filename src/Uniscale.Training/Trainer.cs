using System.Diagnostics;
using Uniscale.Configuration;
using Uniscale.Engine.Execution;
using Uniscale.Launching.Ranks;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runtime;

namespace Uniscale.Training;

/// <summary>
/// What happens around the steps: logging, evaluation, saving. Every rank calls the same callbacks in the same order, so that a
/// callback may communicate.
/// </summary>
public interface ITrainingCallback
{
    /// <summary>Training begins, at the start or where a checkpoint left it.</summary>
    void Started(RankRuntime runtime) { }

    /// <summary>A step begins.</summary>
    void StepStarting(RankRuntime runtime) { }

    /// <summary>A step is done.</summary>
    void StepDone(RankRuntime runtime, StepOutcome outcome) { }

    /// <summary>Asked after each step, and answered alike by every rank: why the run is to end here, saved; null: it goes on.</summary>
    string? WhyStop => null;

    /// <summary>The run went back to a checkpoint, and the steps after it are done again.</summary>
    void WentBack(RankRuntime runtime, Incident incident) { }

    /// <summary>The run ends itself at a fault that all ranks know of: nothing more is saved, what is being saved may finish.</summary>
    void Stopping() { }

    /// <summary>The last step is done.</summary>
    void Ended(RankRuntime runtime, TrainingResult result) { }
}

/// <summary>A wish to stop that any thread may set and every step reads.</summary>
public sealed class StopRequest
{
    private volatile bool _asked;

    /// <summary>Whether somebody asked.</summary>
    public bool IsAsked => _asked;

    /// <summary>Asks the run to stop after the step in progress, all ranks together.</summary>
    public void Ask() => _asked = true;
}

/// <summary>A wish to save that any thread may set; the step that reads it takes it.</summary>
public sealed class SaveRequest
{
    private int _asked;

    /// <summary>Asks the run to save after the step in progress, all ranks together, and to go on.</summary>
    public void Ask() => Volatile.Write(ref _asked, 1);

    /// <summary>Whether somebody asked since the last call.</summary>
    public bool Take() => Interlocked.Exchange(ref _asked, 0) == 1;
}

/// <summary>The training loop.</summary>
/// <param name="runtime">This rank.</param>
/// <param name="callbacks">What happens around the steps.</param>
/// <param name="stop">Polled every step.</param>
/// <param name="save">Polled every step; null: nobody asks.</param>
/// <param name="lastStep">Step after which the run is saved and ends, to be continued; its curves are those of the whole run.</param>
/// <param name="recovery">Goes back to checkpoints; null: a run whose configuration asks for that fails where it would.</param>
public sealed class Trainer(
    RankRuntime runtime,
    IReadOnlyList<ITrainingCallback> callbacks,
    StopRequest stop,
    SaveRequest? save = null,
    long lastStep = long.MaxValue,
    RunRecovery? recovery = null
)
{
    private StepOutcome? _last;
    private StopReason? _reason;
    private long? _stepBegan;

    /// <summary>
    /// Trains from the runtime's position until the tokens are consumed, the last step is done, a stop is asked for, or a bad step ends the
    /// run.
    /// </summary>
    public TrainingResult Run()
    {
        runtime.StopAsked = () => stop.IsAsked;
        foreach (var callback in callbacks)
            callback.Started(runtime);
        // What was still to be judged when the run was stopped, or a stop in the meantime.
        _reason =
            WhyStop is not null ? StopReason.Judged
            : runtime.IsStopSeen ? StopReason.Asked
            : null;
        while (!IsOver && _reason is null)
        {
            try
            {
                StepOrGoBack();
            }
            catch (Exception fault) when (fault is ReplicaMismatchException or TrainingStoppedException)
            {
                // The rank whose exception comes first takes the others down, and with them a save they all still write.
                foreach (var callback in callbacks)
                    callback.Stopping();
                throw;
            }
        }
        var result = new TrainingResult(runtime.Position, _reason ?? (runtime.IsFinished ? StopReason.Finished : StopReason.Asked), _last)
        {
            Sentence = WhyStop,
        };
        foreach (var callback in callbacks)
            callback.Ended(runtime, result);
        return result;
    }

    private string? WhyStop => callbacks.Select(callback => callback.WhyStop).FirstOrDefault(why => why is not null);

    private bool IsOver => runtime.IsFinished || runtime.Position.Step >= lastStep;

    private void StepOrGoBack()
    {
        try
        {
            Step();
        }
        catch (ReplicaMismatchException damage) when (recovery is { UndoesCorruption: true })
        {
            // A step that found differing replicas has no outcome: its time is part of going back.
            long start = _stepBegan ?? Stopwatch.GetTimestamp();
            var incident = recovery.Undo(damage) with { Took = Stopwatch.GetElapsedTime(start) };
            foreach (var callback in callbacks)
                callback.WentBack(runtime, incident);
        }
    }

    private void Step()
    {
        foreach (var callback in callbacks)
            callback.StepStarting(runtime);
        _stepBegan = Stopwatch.GetTimestamp();
        bool mayEnd = runtime.MayEndAfterNextStep;
        _last = runtime.Step(mayEnd && stop.IsAsked, mayEnd && save?.Take() == true);
        _stepBegan = null;
        if (_last.Judgement is { Verdict: not StepVerdict.Good, Action: BadStepAction.Rollback })
            _last = RollBack(_last);
        foreach (var callback in callbacks)
            callback.StepDone(runtime, _last);
        StopReason? reason =
            _last.Incident?.Action == BadStepAction.Stop ? StopReason.BadStep
            : runtime.IsStopSeen ? StopReason.Asked
            : runtime.IsFinished ? null
            : WhyStop is not null ? StopReason.Judged
            : _last.Decision.Stop ? StopReason.Asked
            : null;
        // What ends the run is saved; while it can still go back, its replicas are compared.
        if (IsOver || reason is not null)
            runtime.CompareBeforeSave();
        _reason = reason;
    }

    private StepOutcome RollBack(StepOutcome bad)
    {
        long start = Stopwatch.GetTimestamp();
        long back = (recovery ?? throw new InvalidOperationException("A rollback needs the run's checkpoints.")).RollBack(bad);
        return bad with
        {
            Position = runtime.Position,
            Incident = Incident.Of(bad, bad.Position.Step, back) with { Took = Stopwatch.GetElapsedTime(start) },
        };
    }
}
