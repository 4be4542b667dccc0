namespace Uniscale.Engine.Training;

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
public sealed class Trainer(
    RankRuntime runtime, IReadOnlyList<ITrainingCallback> callbacks, StopRequest stop, SaveRequest? save = null, long lastStep = long.MaxValue)
{
    /// <summary>Trains from the runtime's position until the tokens are consumed, the last step is done or a stop is asked for.</summary>
    public TrainingResult Run()
    {
        foreach (var callback in callbacks) callback.Started(runtime);
        StepOutcome? outcome = null;
        bool stopped = false;
        while (!runtime.IsFinished && !stopped && runtime.Position.Step < lastStep)
        {
            foreach (var callback in callbacks) callback.StepStarting(runtime);
            outcome = runtime.Step(stop.IsAsked, save?.Take() == true);
            stopped = outcome.Decision.Stop;
            foreach (var callback in callbacks) callback.StepDone(runtime, outcome);
        }
        var result = new TrainingResult(runtime.Position, runtime.IsFinished ? StopReason.Finished : StopReason.Asked, outcome);
        foreach (var callback in callbacks) callback.Ended(runtime, result);
        return result;
    }
}
