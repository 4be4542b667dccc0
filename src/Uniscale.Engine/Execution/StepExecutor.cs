using System.Diagnostics;
using Uniscale.Engine.Optimizer;
using Uniscale.Kernels.Optimizer;
using Uniscale.Programs;

namespace Uniscale.Engine.Execution;

/// <summary>Carries out step programs on a rank's tensors. What a layout is stands in the program, not here.</summary>
public sealed class StepExecutor
{
    private readonly RankState _rank;
    private readonly BucketOptimizer _optimizer;
    private readonly ParameterGatherer _gatherer;
    private readonly ActivationStore _activations = new();
    private readonly Timeline? _timeline;

    /// <summary>An executor of one rank.</summary>
    /// <param name="rank">The rank's part of the model.</param>
    /// <param name="kernel">Arithmetic of the optimizer.</param>
    /// <param name="timeline">Receives a row of what was done when; null: nothing is recorded.</param>
    public StepExecutor(RankState rank, IOptimizerKernel kernel, Timeline? timeline = null)
    {
        _rank = rank;
        _optimizer = new BucketOptimizer(kernel);
        _gatherer = new ParameterGatherer(rank);
        _timeline = timeline;
    }

    /// <summary>Called when the gradients of a step are summed and before they are used; for checks.</summary>
    public Action<StepDecision>? GradientsReady { get; set; }

    /// <summary>
    /// Called after each instruction with the time at which it began, in ticks of <see cref="Stopwatch"/>; for measurements. What it takes
    /// counts as the instruction's.
    /// </summary>
    public Action<Instruction, long>? InstructionRan { get; set; }

    /// <summary>Damages numbers on purpose; null: nothing does.</summary>
    public IFaultInjector? Faults { get; set; }

    /// <summary>Runs one step. All ranks of the world run the programs of the same specification.</summary>
    /// <param name="specification">The layout.</param>
    /// <param name="program">This rank's program.</param>
    /// <param name="input">Data and constants.</param>
    /// <param name="difference">Replicas that the program compared and that differ; null: none.</param>
    public StepDecision Run(StepSpecification specification, StepProgram program, StepInput input, out ReplicaDifference? difference)
    {
        foreach (var bucket in _rank.Buckets)
            bucket.BeginStep();
        _gatherer.Begin();
        using var run = new StepRun(_rank, specification, program, input.Batch, _optimizer, _gatherer, _activations)
        {
            Input = input,
            GradientsReady = GradientsReady,
            Faults = Faults,
        };
        foreach (var instruction in program.Instructions)
        {
            using var interval = _timeline?.Compute(instruction);
            long start = Stopwatch.GetTimestamp();
            run.Execute(instruction);
            InstructionRan?.Invoke(instruction, start);
        }
        return run.Finish(out difference);
    }

    /// <summary>
    /// Runs a program that goes forward only, without gradients. All ranks of the world run those of the same specification.
    /// </summary>
    /// <returns>Sum and count of losses over all ranks.</returns>
    public StepEvaluation Evaluate(StepSpecification specification, StepProgram program, IStepBatch batch)
    {
        _gatherer.Begin();
        using var run = new StepRun(_rank, specification, program, batch, _optimizer, _gatherer, _activations);
        foreach (var instruction in program.Instructions)
            run.Execute(instruction);
        return run.FinishEvaluation();
    }

    /// <summary>Compares the replicas as they are between two steps. All ranks of the world call it alike.</summary>
    /// <returns>Where they differ; null: nowhere.</returns>
    public ReplicaDifference? CompareReplicas(StepSpecification specification)
    {
        Settle();
        var guard = new ReplicaGuard(_rank, specification.Model.Head + 1);
        foreach (var bucket in _rank.Buckets)
            guard.Compare(bucket);
        return guard.Conclude();
    }

    /// <summary>Waits until the whole parameters are in place, e.g. before they are read from outside.</summary>
    public void Settle() => _gatherer.Finish();

    /// <summary>
    /// Waits until nothing posted touches the rank's memory, which is about to be freed. Does not throw when the job has failed.
    /// </summary>
    public void Abandon() => _gatherer.Abandon();
}
