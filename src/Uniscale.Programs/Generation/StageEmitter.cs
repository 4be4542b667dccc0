using Uniscale.Programs.Schedules;

namespace Uniscale.Programs;

/// <summary>
/// Turns the passes of a stage into its instructions; peers are stages here, <see cref="ProgramGenerator"/> makes ranks of them.
/// <para>What is posted when:</para>
/// <list type="bullet">
/// <item>the receive of a slot before the computation of the receiving slot in front of it, so that it runs beside it, or one or more
/// earlier (<see cref="ReceiveDepth"/>), so that no rank can wait in a send for a receive that comes later: docs/decisions/0030;</item>
/// <item>a send right after the block that makes its tensor;</item>
/// <item>the gathering of the next pass's parameters before the current pass (ZeRO-3), so that two blocks are whole at a time;</item>
/// <item>the reduction of a block's gradients right after its last contribution, or after each (ZeRO-2, 3).</item>
/// </list>
/// </summary>
internal sealed class StageEmitter
{
    private readonly StepSpecification _spec;
    private readonly StagePartition _partition;
    private readonly int _stage;
    private readonly int _depth;
    private readonly Slot[] _slots;
    private readonly List<Instruction> _program = [];
    private readonly List<int[]> _uses = [];
    private readonly Dictionary<int, int> _contributionsLeft = [];
    private readonly HashSet<int> _loaded = [];
    private int _use;

    public StageEmitter(StepSpecification spec, StagePartition partition, ISchedule schedule, int stage, int receiveDepth)
    {
        (_spec, _partition, _stage, _depth) = (spec, partition, stage, receiveDepth);
        _slots =
        [
            .. schedule
                .SlotsOf(new PipelineShape(spec.Mesh.Pipeline, spec.Chunks, spec.Microbatches), stage)
                .Where(slot => !spec.ForwardOnly || slot.Pass == Pass.Forward),
        ];
    }

    private int Head => _spec.Model.Head;

    private bool HoldsHead => _stage == _spec.Mesh.Pipeline - 1;

    private bool Gathers => _spec.Sharding == 3;

    public Instruction[] Emit()
    {
        foreach (int block in _partition.BlocksOf(_stage))
            _contributionsLeft[block] = _spec.Microbatches;
        if (Gathers)
            CollectUses();
        int receive = 0;
        PostReceivesThrough(0, ref receive);
        EmitLoads();
        if (_uses.Count > 0)
            Gather(_uses[0], []);
        for (int i = 0; i < _slots.Length; i++)
        {
            PostReceivesThrough(ReceivingAfter(i), ref receive);
            EmitSlot(_slots[i]);
        }
        EmitEnd();
        return [.. _program];
    }

    private void EmitLoads()
    {
        // Without a backward pass the loss needs no count before it, and each microbatch is loaded when it comes.
        if (!HoldsHead || _spec.ForwardOnly)
            return;
        for (int m = 0; m < _spec.Microbatches; m++)
            Load(m);
        Add(Op.CountTokens);
    }

    private void Load(int microbatch)
    {
        if (_loaded.Add(microbatch))
            Add(Op.Load, microbatch: microbatch);
    }

    private void EmitSlot(Slot slot)
    {
        var range = _partition.RangeOf(_stage, slot.Chunk);
        bool forward = slot.Pass == Pass.Forward;
        if (forward && (range.First == 0 || range.Contains(Head)))
            Load(slot.Microbatch);
        for (int i = 0; i < range.Count; i++)
        {
            int block = forward ? range.First + i : range.Last - i;
            if (OpOf(slot.Pass, block) is not { } op)
                continue;
            EmitBlock(op, block, slot.Microbatch);
        }
    }

    /// <summary>Operation of a pass on a block. Embedding and head go backward whole: the one has no input gradient, the other
    /// has both its gradients from its forward pass.</summary>
    private Op? OpOf(Pass pass, int block) =>
        pass switch
        {
            Pass.Forward => Op.Forward,
            Pass.Backward => Op.Backward,
            Pass.BackwardInput => _spec.Model.IsTransformer(block) ? Op.BackwardInput : Op.Backward,
            _ => _spec.Model.IsTransformer(block) ? Op.BackwardWeight : null,
        };

    private void EmitBlock(Op op, int block, int microbatch)
    {
        bool uses = Gathers && op != Op.BackwardWeight;
        int[] held = uses ? _uses[_use] : [];
        int[] next = uses && ++_use < _uses.Count ? _uses[_use] : [];
        Gather(next, held);
        Add(op, block, microbatch);
        Send(op, block, microbatch);
        if (op is Op.Backward or Op.BackwardWeight)
            Contributed(block, microbatch);
        foreach (int bucket in held.Except(next))
            Add(Op.ReleaseParameters, bucket);
    }

    private void Gather(int[] wanted, int[] held)
    {
        foreach (int bucket in wanted.Except(held))
            Add(Op.GatherParameters, bucket);
    }

    /// <summary>
    /// Blocks whose parameters each pass needs, in order: its own, and the embedding's where the head uses its matrix on this rank.
    /// </summary>
    private void CollectUses()
    {
        foreach (var slot in _slots)
        {
            if (slot.Pass == Pass.BackwardWeight)
                continue;
            var range = _partition.RangeOf(_stage, slot.Chunk);
            for (int i = 0; i < range.Count; i++)
            {
                int block = slot.Pass == Pass.Forward ? range.First + i : range.Last - i;
                bool tiedHere = block == Head && _spec.Model.TiedEmbeddings && !_spec.TiedAcrossStages;
                _uses.Add(tiedHere ? [block, 0] : [block]);
            }
        }
    }

    private void Send(Op op, int block, int microbatch)
    {
        if (op == Op.Forward && StageAfter(block) is { } above)
            Add(Op.SendActivation, block, microbatch, above);
        else if (op is Op.Backward or Op.BackwardInput && StageBefore(block) is { } below)
            Add(Op.SendGradient, block, microbatch, below);
    }

    private void Contributed(int block, int microbatch)
    {
        int left = --_contributionsLeft[block];
        if (_spec.ReplicaCount == 1)
            return;
        if (!_spec.ReducesOnce(block))
            Add(Op.ReduceGradients, block, microbatch);
        else if (left == 0 && !IsTied(block))
            Add(Op.ReduceGradients, block);
    }

    private bool IsTied(int block) => _spec.TiedAcrossStages && !_spec.Model.IsTransformer(block);

    /// <summary>The slot after <paramref name="slot"/> that is as many receiving slots ahead as the depth says, or the last one.</summary>
    private int ReceivingAfter(int slot)
    {
        int last = slot;
        for (int i = slot + 1, found = 0; i < _slots.Length && found < _depth; i++)
            if (ReceiveOf(_slots[i]) is not null)
                (last, found) = (i, found + 1);
        return last;
    }

    private void PostReceivesThrough(int slot, ref int next)
    {
        for (; next <= slot; next++)
            if (ReceiveOf(_slots[next]) is { } receive)
                _program.Add(receive);
    }

    private Instruction? ReceiveOf(Slot slot)
    {
        var range = _partition.RangeOf(_stage, slot.Chunk);
        return slot.Pass switch
        {
            Pass.Forward when StageBefore(range.First) is { } below => new(Op.ReceiveActivation, range.First, slot.Microbatch, below),
            Pass.Backward or Pass.BackwardInput when StageAfter(range.Last) is { } above => new(
                Op.ReceiveGradient,
                range.Last,
                slot.Microbatch,
                above
            ),
            _ => null,
        };
    }

    /// <summary>Stage that holds the block above, where that is another rank.</summary>
    private int? StageAfter(int block) => block == Head ? null : Other(block + 1);

    /// <summary>Stage that holds the block below, where that is another rank.</summary>
    private int? StageBefore(int block) => block == 0 ? null : Other(block - 1);

    private int? Other(int block) => _partition.StageOf(block) is var stage && stage != _stage ? stage : null;

    private void EmitEnd()
    {
        if (_spec.ForwardOnly)
        {
            Add(Op.SumLoss);
            return;
        }
        int[] blocks = [.. _partition.BlocksOf(_stage)];
        foreach (int block in blocks.Where(IsTied))
        {
            Add(Op.ReduceTied, block, peer: block == 0 ? _spec.Mesh.Pipeline - 1 : 0);
            if (_spec.ReplicaCount > 1)
                Add(Op.ReduceGradients, block);
        }
        Add(Op.Norm);
        foreach (int block in blocks)
        {
            Add(Op.Update, block);
            if (_spec.Sharding is 1 or 2)
                Add(Op.GatherUpdated, block);
        }
        if (!_spec.ComparesReplicas)
            return;
        foreach (int block in blocks)
            Add(Op.Checksum, block);
    }

    private void Add(Op op, int block = -1, int microbatch = -1, int peer = -1) =>
        _program.Add(new Instruction(op, block, microbatch, peer));
}
