using Uniscale.Engine.Buckets;
using Uniscale.Engine.Parallel;
using Uniscale.Programs;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>
/// The forward half of a step's program, for validation: the same instructions in the same order without those of the backward pass,
/// so every layout that trains also validates. Parameters that are sharded are gathered block by block.
/// </summary>
internal sealed class ForwardRun : IDisposable
{
    private const int ActivationTag = 0;

    private readonly RankState _rank;
    private readonly StepSpecification _specification;
    private readonly IStepBatch _batch;
    private readonly ParameterGatherer _gatherer;
    private readonly Dictionary<(int Block, int Microbatch), Transfer> _arriving = [];
    private readonly Dictionary<(int Block, int Microbatch), Tensor> _outputs = [];
    private readonly List<Transfer> _sending = [];
    private readonly Tensor _loss;

    public ForwardRun(RankState rank, StepSpecification specification, IStepBatch batch, ParameterGatherer gatherer)
    {
        _rank = rank;
        _specification = specification;
        _batch = batch;
        _gatherer = gatherer;
        _loss = zeros([], ScalarType.Float64, rank.Link.Device).DetachFromDisposeScope();
    }

    /// <summary>Runs the forward instructions; returns the sum of token losses and the count of valid tokens over all ranks.</summary>
    public (double LossSum, long TokenCount) Execute(StepProgram program)
    {
        using var noGradients = no_grad();
        foreach (var (op, block, microbatch, peer) in program.Instructions)
        {
            using var scope = NewDisposeScope();
            switch (op)
            {
                case Op.ReceiveActivation: Receive(block, microbatch, peer); break;
                case Op.SendActivation: Send(block, microbatch, peer); break;
                case Op.Forward: Forward(block, microbatch); break;
                default: break;
            }
        }
        foreach (var transfer in _sending) transfer.Work.Wait();
        return Sum();
    }

    public void Dispose()
    {
        _loss.Dispose();
        foreach (var tensor in _outputs.Values) tensor.Dispose();
        foreach (var transfer in _arriving.Values.Concat(_sending)) transfer.Abandon();
        _outputs.Clear();
        _arriving.Clear();
        _sending.Clear();
    }

    private void Receive(int block, int microbatch, int peer)
    {
        var tensor = _rank.EmptyActivation(_specification);
        _arriving.Add((block, microbatch), new Transfer(tensor, _rank.Groups.Pipeline.Receive(TensorBuffer.Of(tensor), StageOf(peer), ActivationTag)));
    }

    private void Send(int block, int microbatch, int peer)
    {
        _outputs.Remove((block, microbatch), out var output);
        using (output)
        {
            var tensor = output!.contiguous().alias().DetachFromDisposeScope();
            _sending.Add(new Transfer(tensor, _rank.Groups.Pipeline.Send(TensorBuffer.Of(tensor), StageOf(peer), ActivationTag)));
        }
    }

    private int StageOf(int worldRank) => _specification.Mesh.CoordinateOf(worldRank).Pipeline;

    private void Forward(int block, int microbatch)
    {
        var state = _rank.Blocks[block];
        Bucket[] borrowed = [.. state.Buckets.Where(_gatherer.Ensure)];
        using (var input = TakeInput(block, microbatch))
        {
            var context = _batch[microbatch] with { LossScale = 1 };
            var output = state.Block.Forward(state.Parameters, input, context, _rank.Ops);
            if (block == _specification.Model.Head) _loss.add_(output);
            else _outputs.Add((block, microbatch), output.DetachFromDisposeScope());
        }
        foreach (var bucket in borrowed) _gatherer.Release(bucket);
    }

    private Tensor? TakeInput(int block, int microbatch)
    {
        if (block == 0) return null;
        if (_arriving.Remove((block, microbatch), out var transfer)) return transfer.Arrived();
        _outputs.Remove((block - 1, microbatch), out var below);
        return below;
    }

    private (double, long) Sum()
    {
        // Loss and targets are the same on all ranks of a tensor group, and the targets on all stages: one speaks for them.
        bool speaks = _rank.Groups.Tensor.Rank == 0, counts = speaks && _rank.Blocks.ContainsKey(_specification.Model.Head);
        using var scope = NewDisposeScope();
        var own = tensor([0.0, counts ? _batch.ValidTokens : 0], ScalarType.Float64);
        var sums = _rank.Link.Upload(own);
        if (speaks) sums[0].copy_(_loss);
        _rank.Groups.World.AllReduce(TensorBuffer.Of(sums)).Wait();
        double[] all = _rank.Link.Read<double>(sums);
        return (all[0], (long)all[1]);
    }
}
