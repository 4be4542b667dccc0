using System.Collections.ObjectModel;
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
    private const int ActivationTag = 0;
    private const int GradientTag = 1;

    /// <summary>
    /// Numbers that every step exchanges: squares of gradients, loss, stop, two halves of the digest, save. Those by domain follow.
    /// </summary>
    private const int Fixed = 6;

    private readonly RankState _rank;
    private readonly StepSpecification _specification;
    private readonly IStepBatch _batch;
    private readonly BucketOptimizer _optimizer;
    private readonly ParameterGatherer _gatherer;
    private readonly GradientReducer _reducer;
    private readonly ActivationStore _activations;
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
        _reducer = new GradientReducer(rank);
        _runner = new BlockRunner(specification, rank.Ops, _activations);
        _reduced = new bool[specification.Model.Head + 1];
        _reductionsLeft = new int[specification.Model.Head + 1];
        foreach (var instruction in program.Instructions)
            if (instruction.Op == Op.ReduceGradients)
                _reductionsLeft[instruction.Block]++;
        _tokenCount = zeros([1], ScalarType.Int64, rank.Link.Device).DetachFromDisposeScope();
        _loss = zeros([], ScalarType.Float64, rank.Link.Device).DetachFromDisposeScope();
        if (!specification.ForwardOnly && rank.Blocks.ContainsKey(specification.Model.Head))
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
                Receive(block, microbatch, peer);
                break;
            case Op.SendActivation:
                SendActivation(block, microbatch, peer);
                break;
            case Op.ReceiveGradient:
                ReceiveGradient(block, microbatch, peer);
                break;
            case Op.SendGradient:
                SendGradient(block, microbatch, peer);
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

    private void Receive(int block, int microbatch, int peer)
    {
        var tensor = _rank.EmptyActivation(_specification);
        _activations.Receiving(block, microbatch, tensor, Pipeline.Receive(TensorBuffer.Of(tensor), Stage(peer), ActivationTag));
    }

    private void ReceiveGradient(int block, int microbatch, int peer)
    {
        var tensor = _rank.EmptyActivation(_specification);
        _activations.ReceivingGradient(block, microbatch, tensor, Pipeline.Receive(TensorBuffer.Of(tensor), Stage(peer), GradientTag));
    }

    private void SendActivation(int block, int microbatch, int peer)
    {
        var pass = _activations.Kept(block, microbatch);
        var tensor = (pass.Output ?? pass.Bare)!.detach().contiguous().DetachFromDisposeScope();
        if (_specification.ForwardOnly)
            _activations.TakeKept(block, microbatch).Dispose();
        _activations.Sending(tensor, Pipeline.Send(TensorBuffer.Of(tensor), Stage(peer), ActivationTag));
    }

    private void SendGradient(int block, int microbatch, int peer)
    {
        using var gradient = _activations.TakeInputGradient(block, microbatch);
        var tensor = gradient.contiguous().alias().DetachFromDisposeScope();
        _activations.Sending(tensor, Pipeline.Send(TensorBuffer.Of(tensor), Stage(peer), GradientTag));
    }

    private IProcessGroup Pipeline => _rank.Groups.Pipeline;

    private int Stage(int worldRank) => _specification.Mesh.CoordinateOf(worldRank).Pipeline;

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

    /// <summary>Loss and targets are the same on all ranks of a tensor group, and the targets on all stages: one speaks for them.</summary>
    private void SumLoss()
    {
        bool speaks = _rank.Groups.Tensor.Rank == 0,
            counts = speaks && _rank.Blocks.ContainsKey(_specification.Model.Head);
        double[] first = [0, counts ? _batch.ValidTokens : 0, .. new double[_batch.Measures.Count]];
        var own = tensor(first, ScalarType.Float64);
        var sums = _rank.Link.Upload(own);
        if (speaks)
            sums[0].copy_(_loss);
        if (speaks)
            AddMeasured(sums, 2);
        _rank.Groups.World.AllReduce(TensorBuffer.Of(sums)).Wait();
        double[] all = _rank.Link.Read<double>(sums);
        _evaluation = new StepEvaluation(all[0], (long)all[1], _batch.Measures.Select((name, i) => (name, all[2 + i])).ToDictionary());
    }

    /// <summary>Adds what this rank's microbatches measured behind the first numbers.</summary>
    private void AddMeasured(Tensor sums, int first)
    {
        foreach (var measured in _batch.Measured)
            sums.narrow(0, first, measured.size(0)).add_(measured, Scalars.One);
    }

    private void Decide()
    {
        var input = Input!;
        _reducer.Finish();
        Faults?.OnGradient(input.Step, _rank);
        // The loss is the same on all ranks of a tensor group: the first speaks for them.
        bool speaks = _rank.Groups.Tensor.Rank == 0;
        // So it is with the data, read whole where the loss is. Halves of 32 bits stay exact in sums of doubles.
        ulong digest = speaks && _rank.Blocks.ContainsKey(_specification.Model.Head) ? _batch.Digest : 0;
        double counted =
            speaks && _rank.Blocks.ContainsKey(_specification.Model.Head) && _batch.Measures.Count > 0 ? _batch.ValidTokens : 0;
        double[] measures = _batch.Measures.Count == 0 ? [] : [counted, .. new double[_batch.Measures.Count]];
        int domains = _batch.DomainCount > 1 ? _batch.DomainCount : 0,
            firstSum = Fixed + measures.Length,
            firstCount = firstSum + domains;
        double[] first =
        [
            0,
            0,
            input.StopAsked ? 1 : 0,
            (uint)digest,
            digest >> 32,
            input.SaveAsked ? 1 : 0,
            .. measures,
            .. new double[2 * domains],
        ];
        if (speaks && _domainLosses is not null)
            for (int i = 0; i < domains; i++)
                first[firstCount + i] = _batch.DomainTokens[i];
        using var own = tensor(first, ScalarType.Float64);
        using var sums = _rank.Link.Upload(own);
        SumSquares(sums[0]);
        if (speaks)
            sums[1].copy_(_loss);
        if (speaks && measures.Length > 0)
            AddMeasured(sums, Fixed + 1);
        if (speaks && _domainLosses is not null)
            sums.narrow(0, firstSum, domains).copy_(_domainLosses.Sums);
        if (Faults is not null)
            sums[1].fill_(Scalars.Of(Faults.OnLoss(input.Step, speaks ? _rank.Link.Read<double>(_loss)[0] : 0)));
        _rank.Groups.World.AllReduce(TensorBuffer.Of(sums)).Wait();
        double[] all = _rank.Link.Read<double>(sums);
        double norm = Math.Sqrt(all[0]),
            loss = all[1];
        double scale = input.Clip > 0 && norm > input.Clip ? input.Clip / (norm + 1e-6) : 1;
        digest = unchecked((ulong)all[3] + ((ulong)all[4] << 32));
        _decision = new StepDecision(loss, norm, scale, input.Applies(loss, norm), all[2] > 0, digest)
        {
            Save = all[5] > 0,
            Measures =
                measures.Length == 0
                    ? ReadOnlyDictionary<string, double>.Empty
                    : _batch.Measures.Select((name, i) => (name, all[Fixed + 1 + i] / Math.Max(1, all[Fixed]))).ToDictionary(),
            DomainLosses =
                domains == 0
                    ? []
                    :
                    [
                        .. Enumerable
                            .Range(0, domains)
                            .Select(i => all[firstCount + i] > 0 ? all[firstSum + i] / all[firstCount + i] : double.NaN),
                    ],
        };
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
