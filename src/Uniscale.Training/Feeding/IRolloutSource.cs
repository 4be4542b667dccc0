using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Model;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Feeding;

/// <summary>
/// Training data that a run draws from its own weights, a batch of several updates at a time. Each rank has one of its own; all call it
/// alike. A position counts the tokens
/// that the steps have room for, so that it is known before anything is drawn.
/// </summary>
public interface IRolloutSource : ISequenceSource
{
    /// <summary>What logits are divided by before probabilities are taken.</summary>
    double Temperature => 1;

    /// <summary>Weight of the divergence from the reference in the loss.</summary>
    double KlWeight => 0;

    /// <summary>Whether what counts is answers, each the mean of its tokens; otherwise tokens.</summary>
    bool CountsAnswers => false;

    /// <summary>Makes ready what a step learns from: the first of a batch draws it. Collective.</summary>
    void Prepare(RankRuntime runtime, StepPlan step) { }

    /// <summary>Sequences of a step that hold something, at most those of the plan; known once it is prepared.</summary>
    int FilledSequences(StepPlan step) => step.Sequences;

    /// <summary>Whether the critic alone learns from a step.</summary>
    bool TeachesCriticAlone(StepPlan step) => false;

    /// <summary>Whether a step is the first of its batch.</summary>
    bool BeginsBatch(StepPlan step) => true;

    /// <summary>Whether a step is the last of its batch, so that the run may be saved or ended behind it.</summary>
    bool EndsBatch(StepPlan step) => true;

    /// <summary>
    /// Numbers of sample <paramref name="index"/>: <paramref name="columns"/> receives [<see cref="RolloutColumn"/>, context].
    /// </summary>
    /// <returns>Answers of the sample.</returns>
    int ReadColumns(StepPlan step, long index, Span<double> columns);

    /// <summary>Looks at a step that is done, and adds what the batch has measured.</summary>
    StepDecision Done(RankRuntime runtime, StepPlan step, StepDecision decision) => decision;

    /// <summary>What a checkpoint keeps of the source.</summary>
    IEnumerable<KeyValuePair<string, string>> ToExtra() => [];

    /// <summary>Takes back what a checkpoint has kept.</summary>
    void Restore(IReadOnlyDictionary<string, string> extra) { }
}
