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

/// <summary>The training loop.</summary>
/// <param name="runtime">This rank.</param>
/// <param name="callbacks">What happens around the steps.</param>
/// <param name="stop">Polled every step.</param>
public sealed class Trainer(RankRuntime runtime, IReadOnlyList<ITrainingCallback> callbacks, StopRequest stop)
{
    /// <summary>Trains from the runtime's position until the tokens are consumed or a stop is asked for.</summary>
    public TrainingResult Run()
    {
        foreach (var callback in callbacks) callback.Started(runtime);
        StepOutcome? outcome = null;
        bool stopped = false;
        while (!runtime.IsFinished && !stopped)
        {
            foreach (var callback in callbacks) callback.StepStarting(runtime);
            outcome = runtime.Step(stop.IsAsked);
            stopped = outcome.Decision.Stop;
            foreach (var callback in callbacks) callback.StepDone(runtime, outcome);
        }
        var result = new TrainingResult(runtime.Position, runtime.IsFinished ? StopReason.Finished : StopReason.Asked, outcome);
        foreach (var callback in callbacks) callback.Ended(runtime, result);
        return result;
    }
}
