using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Format;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Model;
using Uniscale.Training.Feeding;
using Uniscale.Training.Recovery;

namespace Uniscale.Training.Runtime;

/// <summary>Steps that go wrong: what becomes of the position, and the ways back.</summary>
public sealed partial class RankRuntime
{
    private readonly StepJudge _judge;
    private long _comparedStep = -1;

    /// <summary>What went wrong so far.</summary>
    public StepRecord Record { get; } = new();

    /// <summary>
    /// Compares the replicas before their state is saved, where the configuration has them compared at all and the last step has not done
    /// it: so the
    /// replicas are equal in every checkpoint. Collective.
    /// </summary>
    /// <exception cref="ReplicaMismatchException">They differ.</exception>
    public void CompareBeforeSave()
    {
        Critic?.CompareBeforeSave();
        if (!Specification.ComparesReplicas || _comparedStep == Position.Step)
            return;
        Compared(_executor.CompareReplicas(Specification), Position.Step);
    }

    /// <summary>
    /// Takes weights and optimizer state from the newest checkpoint whose step fits; null where there is none. One that holds weights
    /// alone, as an imported
    /// model does, gives the weights, and the optimizer begins. Collective.
    /// </summary>
    internal LoadedCheckpoint? Load(CheckpointStore store, Func<long, bool>? fits, Action<CheckpointManifest>? check = null)
    {
        _executor.Settle();
        Critic?.Settle();
        using var image = Model.Link.Image();
        WeightsAlone[]? weights = null;
        try
        {
            var loaded = store.LoadNewest(
                manifest =>
                {
                    check?.Invoke(manifest);
                    if (manifest.HoldsOptimizer())
                        return StateToLoad(image);
                    weights ??= WeightsToLoad();
                    return [.. weights.SelectMany(block => block.Slices)];
                },
                fits
            );
            if (loaded is not null && loaded.Manifest.HoldsOptimizer())
                image.Store();
            else if (loaded is not null)
                foreach (var block in weights!)
                    block.Apply(Model.Link);
            _kernels.ParametersChanged();
            Critic?._kernels.ParametersChanged();
            return loaded;
        }
        finally
        {
            foreach (var block in weights ?? [])
                block.Dispose();
        }
    }

    /// <summary>The state is that of an earlier step; the position goes on with the data after the present one.</summary>
    internal void TakeBack(CheckpointManifest manifest, StepVerdict reason)
    {
        var earlier = TrainingPosition.FromCheckpoint(manifest.Step, manifest.ConsumedTokens, manifest.Extra);
        Record.Discard(new DiscardedSpan(earlier.Step, Position.Step, earlier.ConsumedTokens, Position.ConsumedTokens, reason.Word()));
        Record.AddRollback();
        _judge.Restore(manifest.Extra);
        Position = Position with { Updates = earlier.Updates };
    }

    /// <summary>State and position are those of an earlier step: what followed is done again.</summary>
    internal void ContinueAgain(CheckpointManifest manifest, long foundStep)
    {
        Record.AddBad(StepVerdict.Corruption, forgivenAfter: Math.Max(1, foundStep - manifest.Step + 1));
        Record.AddRollback();
        Record.RestoreDiscarded(manifest.Extra);
        _judge.Restore(manifest.Extra);
        _comparedStep = -1;
        SetPosition(manifest);
    }

    /// <summary>Enters a step into record and position; one that stops the run leaves the position before it.</summary>
    private StepOutcome Conclude(StepPlan plan, StepDecision decision, StepJudgement judgement)
    {
        var (verdict, action) = judgement;
        var next = new TrainingPosition(
            Position.Step + 1,
            Position.ConsumedTokens + plan.Tokens,
            Position.Updates + (decision.Applied ? 1 : 0)
        );
        int? inARow = null;
        if (verdict == StepVerdict.Good)
            Record.AddGood();
        else
        {
            Record.AddBad(
                verdict,
                action switch
                {
                    BadStepAction.Warn => 0,
                    BadStepAction.Rollback => Configuration.BadSteps.RollbackSteps,
                    _ => 1,
                }
            );
            if (action is BadStepAction.Skip or BadStepAction.Rollback && Record.InARow >= Configuration.BadSteps.MaxConsecutive)
            {
                inARow = Record.InARow;
                judgement = new(verdict, BadStepAction.Stop);
            }
        }
        if (decision.Applied)
            _judge.Remember(plan.Phase, decision.Loss, decision.GradientNorm);
        bool stops = verdict != StepVerdict.Good && judgement.Action == BadStepAction.Stop;
        if (stops)
            Record.Forgive();
        else
        {
            if (!decision.Applied)
                Record.Discard(new DiscardedSpan(Position.Step, next.Step, Position.ConsumedTokens, next.ConsumedTokens, verdict.Word()));
            Position = next;
        }
        var outcome = new StepOutcome(Position, plan, decision, judgement, 0, TimeSpan.Zero, TimeSpan.Zero);
        return verdict == StepVerdict.Good || judgement.Action == BadStepAction.Rollback
            ? outcome
            : outcome with
            {
                Incident = Incident.Of(outcome, next.Step, null, inARow),
            };
    }

    private void Compared(ReplicaDifference? difference, long step)
    {
        _comparedStep = step;
        if (difference is null)
            return;
        string[] names = Transformer.Blocks(Configuration.Model, Specification.Model.Vocabulary).Select(block => block.Name).ToArray();
        throw new ReplicaMismatchException(
            $"The weights of {string.Join(", ", difference.Blocks.Take(3).Select(block => names[block]))}"
                + $"{(difference.Blocks.Count > 3 ? $" and {difference.Blocks.Count - 3} more blocks" : "")} {difference} after step {step}: the memory or processor of that machine is suspect."
        )
        {
            Step = step,
        };
    }
}
