using Uniscale.Collectives;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Model;
using Uniscale.Engine.Optimizer;
using Uniscale.Programs;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>One step of one rank: the meaning of each instruction, and the tensors that live from one to another.</summary>
internal sealed class StepRun : IDisposable
{
    private readonly RankState _rank;
    private readonly StepSpecification _specification;
    private readonly IStepBatch _batch;
    private readonly BucketOptimizer _optimizer;
    private readonly ParameterGatherer _gatherer;
    private readonly GradientReducer _reducer;
    private readonly ActivationStore _activations;
    private readonly StageTransfers _transfers;
    private readonly BlockRunner _runner;
    private readonly int[] _reductionsLeft;
    private readonly bool[] _reduced;
    private readonly Tensor _tokenCount;
    private readonly Tensor _loss;
    private readonly DomainLosses? _domainLosses;
    private IWork? _counting;
    private LossScale _lossScale;
    private StepDecision? _decision;
    private StepEvaluation? _evaluation;
    private ReplicaGuard? _guard;
    private bool _isDamaged;

    public StepRun(
        RankState rank,
        StepSpecification specification,
        StepProgram program,
        IStepBatch batch,
        BucketOptimizer optimizer,
        ParameterGatherer gatherer,
        ActivationStore activations
    )
    {
        _rank = rank;
        _specification = specification;
        _batch = batch;
        _optimizer = optimizer;
        _gatherer = gatherer;
        _activations = activations;
        _transfers = new StageTransfers(rank, specification, activations);
        _reducer = new GradientReducer(rank);
        _runner = new BlockRunner(specification, rank.Ops, _activations);
        _reduced = new bool[specification.Model.Head + 1];
        _reductionsLeft = new int[specification.Model.Head + 1];
        foreach (var instruction in program.Instructions)
            if (instruction.Op == Op.ReduceGradients)
                _reductionsLeft[instruction.Block]++;
        _tokenCount = zeros([1], ScalarType.Int64, rank.Link.Device).DetachFromDisposeScope();
        _loss = zeros([], ScalarType.Float64, rank.Link.Device).DetachFromDisposeScope();
        if (!specification.ForwardOnly && HoldsHead)
            _domainLosses = DomainLosses.Of(batch, rank.Link);
        // Forward alone the sum itself is wanted, and no count is waited for.
        _lossScale = 1;
    }

    /// <summary>What a step needs besides its data; null for a program that goes forward only.</summary>
    public StepInput? Input { get; init; }

    /// <summary>See <see cref="StepExecutor.GradientsReady"/>.</summary>
    public Action<StepDecision>? GradientsReady { get; init; }

    /// <summary>See <see cref="StepExecutor.Faults"/>.</summary>
    public IFaultInjector? Faults { get; init; }

    public void Execute(Instruction instruction)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (op, block, microbatch, peer) = instruction;
        switch (op)
        {
            case Op.Load:
                _ = _batch[microbatch];
                break;
            case Op.CountTokens:
                CountTokens();
                break;
            case Op.GatherParameters:
                PostGathering(block);
                break;
            case Op.ReleaseParameters:
                Release(block);
                break;
            case Op.ReceiveActivation:
                _transfers.ReceiveActivation(block, microbatch, peer);
                break;
            case Op.SendActivation:
                _transfers.SendActivation(block, microbatch, peer);
                break;
            case Op.ReceiveGradient:
                _transfers.ReceiveGradient(block, microbatch, peer);
                break;
            case Op.SendGradient:
                _transfers.SendGradient(block, microbatch, peer);
                break;
            case Op.Forward:
                Forward(block, microbatch);
                break;
            case Op.Backward:
                Backward(block, microbatch, defer: false);
                break;
            case Op.BackwardInput:
                Backward(block, microbatch, defer: true);
                break;
            case Op.BackwardWeight:
                _runner.BackwardWeight(_rank.Blocks[block], microbatch);
                break;
            case Op.ReduceGradients:
                ReduceGradients(block);
                break;
            case Op.ReduceTied:
                _reducer.SumTied(TiedSlot(block));
                break;
            case Op.Norm:
                Decide();
                break;
            case Op.Update:
                Update(block);
                break;
            case Op.GatherUpdated:
                PostGathering(block);
                break;
            case Op.Checksum:
                CompareReplicas(block);
                break;
            case Op.SumLoss:
                SumLoss();
                break;
            default:
                throw new NotSupportedException($"Instruction {instruction} is not known to the executor.");
        }
    }

    /// <summary>Waits for what the program posted and returns the step's decision.</summary>
    /// <param name="difference">Replicas that were compared and differ; null: none.</param>
    public StepDecision Finish(out ReplicaDifference? difference)
    {
        _activations.FinishSending();
        DamageWeights();
        difference = _guard?.Conclude();
        return _decision ?? throw new InvalidOperationException("The program has no norm instruction, so the step decided nothing.");
    }

    /// <summary>Waits for what a program that goes forward only has posted, and returns what it found.</summary>
    public StepEvaluation FinishEvaluation()
    {
        _activations.FinishSending();
        return _evaluation ?? throw new InvalidOperationException("The program has no sum of the loss, so it found nothing.");
    }

    public void Dispose()
    {
        _lossScale.Dispose();
        _loss.Dispose();
        _domainLosses?.Dispose();
        _tokenCount.Dispose();
        _runner.Dispose();
        _activations.Free();
    }

    private bool HoldsHead => _rank.Blocks.ContainsKey(_specification.Model.Head);

    private IReadOnlyList<Bucket> Buckets(int block) => _rank.Blocks[block].OwnBuckets;

    private void PostGathering(int block)
    {
        var buckets = Buckets(block);
        for (int i = 0; i < buckets.Count; i++)
            _gatherer.Post(buckets[i]);
    }

    private void Release(int block)
    {
        var buckets = Buckets(block);
        for (int i = 0; i < buckets.Count; i++)
            _gatherer.Release(buckets[i]);
    }

    private void CountTokens()
    {
        _tokenCount.fill_(Scalars.Of(_batch.ValidTokens));
        _counting = _rank.Groups.Replicas.AllReduce(TensorBuffer.Of(_tokenCount));
    }

    private MicrobatchContext Context(int block, int microbatch)
    {
        if (block != _specification.Model.Head)
            return _batch[microbatch];
        if (_counting is { } counting)
        {
            counting.Wait();
            _counting = null;
            _lossScale = LossScale.OneOver(_tokenCount, _rank.Link);
        }
        return _batch[microbatch] with { LossScale = _lossScale };
    }

    private void Forward(int block, int microbatch)
    {
        var state = _rank.Blocks[block];
        var borrowed = Gather(state);
        var context = Context(block, microbatch);
        if (block == _specification.Model.Head && _domainLosses is not null)
            context = DomainLosses.Asking(context);
        var output = _specification.ForwardOnly ? _runner.ForwardAlone(state, context) : _runner.Forward(state, context);
        if (block == _specification.Model.Head)
        {
            _loss.add_(output, Scalars.One);
            _domainLosses?.Add(context);
            if (_specification.ForwardOnly)
                _activations.TakeKept(block, microbatch).Dispose();
        }
        foreach (var bucket in borrowed)
            _gatherer.Release(bucket);
    }

    private void Backward(int block, int microbatch, bool defer)
    {
        var state = _rank.Blocks[block];
        var borrowed = Gather(state);
        _runner.Backward(state, Context(block, microbatch), defer);
        foreach (var bucket in borrowed)
            _gatherer.Release(bucket);
    }

    private IReadOnlyList<Bucket> Gather(BlockState state)
    {
        List<Bucket>? borrowed = null;
        for (int i = 0; i < state.Buckets.Count; i++)
            if (_gatherer.Ensure(state.Buckets[i]))
                (borrowed ??= []).Add(state.Buckets[i]);
        if (borrowed is null)
            return [];
        return borrowed;
    }

    private void ReduceGradients(int block)
    {
        bool last = --_reductionsLeft[block] == 0;
        var buckets = Buckets(block);
        for (int i = 0; i < buckets.Count; i++)
            _reducer.Post(buckets[i], last);
        _reduced[block] = true;
    }

    /// <summary>The slot of the tied matrix: the embedding's first parameter, the head's last.</summary>
    private ParameterSlot TiedSlot(int block) => block == 0 ? _rank.Blocks[block].Slots[0] : _rank.Blocks[block].Slots[^1];

    private void SumLoss() => _evaluation = new StepNumbers(_rank, _batch, HoldsHead).SumLoss(_loss);

    private void Decide()
    {
        var input = Input!;
        _reducer.Finish();
        Faults?.OnGradient(input.Step, _rank);
        _decision = new StepNumbers(_rank, _batch, HoldsHead).Decide(input, _loss, _domainLosses, SumSquares, Faults);
        GradientsReady?.Invoke(_decision);
    }

    /// <summary>Adds the squares of the gradients that this rank counts.</summary>
    private void SumSquares(Tensor sum)
    {
        var buckets = _rank.Buckets;
        for (int i = 0; i < buckets.Count; i++)
        {
            var bucket = buckets[i];
            var holders = _rank.GroupsOf(bucket).ShardReplicas;
            if (!_reduced[bucket.Block])
                bucket.TakeWholeGradient();
            if (_optimizer.SumOfSquares(bucket, holders.Rank, holders.Size) is { } squares)
                sum.add_(squares, Scalars.One);
        }
    }

    private void Update(int block)
    {
        if (!_decision!.Applied)
            return;
        var buckets = Buckets(block);
        for (int i = 0; i < buckets.Count; i++)
            _optimizer.Update(buckets[i], Input!.AdamW with { GradientScale = _decision.GradientScale });
    }

    private void CompareReplicas(int block)
    {
        DamageWeights();
        _guard ??= new ReplicaGuard(_rank, _specification.Model.Head + 1);
        foreach (var bucket in Buckets(block))
        {
            if (!bucket.ParametersAreSharded)
                _gatherer.Ensure(bucket);
            _guard.Compare(bucket);
        }
    }

    /// <summary>Once a step, after all updates and before the first comparison.</summary>
    private void DamageWeights()
    {
        if (Faults is null || _isDamaged)
            return;
        _isDamaged = true;
        _gatherer.Finish();
        using var noGrad = no_grad();
        Faults.OnWeights(Input!.Step, _rank);
    }
}
