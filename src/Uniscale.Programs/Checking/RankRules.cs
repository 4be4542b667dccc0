namespace Uniscale.Programs.Checking;

/// <summary>Rules that one rank's program must keep by itself.</summary>
internal sealed class RankRules
{
    private readonly StepSpecification _spec;
    private readonly int _rank;
    private readonly int[] _blocks;
    private readonly int[] _localOf;
    private readonly IReadOnlyList<int> _pipeline;
    private readonly int _stage;
    private readonly CheckedLayout _layout;
    private readonly List<Violation> _violations;

    private readonly Done[] _passes;
    private readonly BlockState[] _states;
    private readonly bool[] _loaded;
    private int _loadCount;
    private bool _counted;
    private bool _normed;
    private bool _summed;
    private int _index;

    public RankRules(CheckedLayout layout, int rank, List<Violation> violations)
    {
        (_layout, _spec, _rank, _violations) = (layout, layout.Spec, rank, violations);
        _stage = _spec.Mesh.CoordinateOf(rank).Pipeline;
        _pipeline = _spec.Mesh.GroupOf(rank, Axis.Pipeline);
        _blocks = layout.BlocksOfStage[_stage];
        _localOf = Enumerable.Repeat(-1, _spec.Model.BlockCount).ToArray();
        for (int i = 0; i < _blocks.Length; i++)
            _localOf[_blocks[i]] = i;
        _passes = new Done[_blocks.Length * _spec.Microbatches];
        _states = new BlockState[_blocks.Length];
        for (int i = 0; i < _states.Length; i++)
            _states[i].Unreduced = -1;
        _loaded = new bool[_spec.Microbatches];
    }

    /// <summary>What has been done for one block and microbatch.</summary>
    [Flags]
    private enum Done : byte
    {
        None = 0,
        ReceivedActivation = 1,
        Forward = 2,
        SentActivation = 4,
        ReceivedGradient = 8,
        InputGradient = 16,
        WeightGradient = 32,
        SentGradient = 64,
    }

    /// <summary>What has been done for one block.</summary>
    private struct BlockState
    {
        public int Contributions;
        public int Unreduced;
        public int Reductions;
        public bool Gathered;
        public bool TiedReduced;
        public bool Updated;
        public bool UpdatedGathered;
        public bool Checked;
    }

    private int Head => _spec.Model.Head;

    private bool HoldsHead => _localOf[Head] >= 0;

    private bool Reduces => _spec.ReplicaCount > 1;

    public void Check(StepProgram program)
    {
        if (program.Rank != _rank)
            Fail($"the program is that of rank {program.Rank}");
        for (_index = 0; _index < program.Instructions.Count; _index++)
            Run(program.Instructions[_index]);
        CheckEnd();
    }

    private void Run(Instruction at)
    {
        if (OperandsAreWrong(at) || DoesNotBelong(at))
            return;
        switch (at.Op)
        {
            case Op.Load:
                Load(at);
                break;
            case Op.CountTokens:
                CountTokens();
                break;
            case Op.GatherParameters:
                Gather(at, gather: true);
                break;
            case Op.ReleaseParameters:
                Gather(at, gather: false);
                break;
            case Op.ReceiveActivation:
                Transfer(at, at.Block - 1, Done.None, Done.ReceivedActivation);
                break;
            case Op.SendActivation:
                Transfer(at, at.Block + 1, Done.Forward, Done.SentActivation);
                break;
            case Op.ReceiveGradient:
                Transfer(at, at.Block + 1, Done.None, Done.ReceivedGradient);
                break;
            case Op.SendGradient:
                Transfer(at, at.Block - 1, Done.InputGradient, Done.SentGradient);
                break;
            case Op.Forward:
                Forward(at);
                break;
            case Op.Backward:
                Backward(at, Done.InputGradient | Done.WeightGradient);
                break;
            case Op.BackwardInput:
                Backward(at, Done.InputGradient);
                break;
            case Op.BackwardWeight:
                BackwardWeight(at);
                break;
            case Op.ReduceGradients:
                Reduce(at);
                break;
            case Op.ReduceTied:
                ReduceTied(at);
                break;
            case Op.Norm:
                Norm();
                break;
            case Op.SumLoss:
                SumLoss();
                break;
            default:
                AfterNorm(at);
                break;
        }
    }

    private bool OperandsAreWrong(Instruction at)
    {
        bool ofBlock = at.Op is not (Op.Load or Op.CountTokens or Op.Norm or Op.SumLoss);
        if (ofBlock && (at.Block < 0 || at.Block >= _localOf.Length || _localOf[at.Block] < 0))
            return Fail($"{at}: this rank (stage {_stage}) does not hold block {at.Block}");
        bool ofMicrobatch = at.Op == Op.Load || (at.Op is >= Op.ReceiveActivation and <= Op.BackwardWeight);
        if (ofMicrobatch && (at.Microbatch < 0 || at.Microbatch >= _spec.Microbatches))
            return Fail($"{at}: the step has microbatches 0 to {_spec.Microbatches - 1}");
        return false;
    }

    private bool DoesNotBelong(Instruction at)
    {
        bool belongs =
            at.Op is Op.Load or Op.GatherParameters or Op.ReleaseParameters or Op.ReceiveActivation or Op.SendActivation or Op.Forward
            || _spec.ForwardOnly == (at.Op == Op.SumLoss);
        return !belongs
            && Fail(_spec.ForwardOnly ? $"{at}: the program goes forward only" : $"{at}: the loss of a step is summed with its norm");
    }

    private ref Done Pass(int block, int microbatch) => ref _passes[_localOf[block] * _spec.Microbatches + microbatch];

    private ref BlockState State(int block) => ref _states[_localOf[block]];

    private void Load(Instruction at)
    {
        if (!HoldsHead && _localOf[0] < 0)
            Fail($"{at}: this rank holds neither embedding nor head");
        if (_loaded[at.Microbatch])
            Fail($"{at}: loaded twice");
        if (_counted)
            Fail($"{at}: comes after the count of tokens");
        _loaded[at.Microbatch] = true;
        _loadCount++;
    }

    private void CountTokens()
    {
        if (!HoldsHead)
            Fail("tokens are counted where the head is not");
        if (_counted)
            Fail("tokens are counted twice");
        if (_loadCount < _spec.Microbatches)
            Fail($"tokens are counted when {_loadCount} of {_spec.Microbatches} microbatches are loaded");
        _counted = true;
    }

    private void Gather(Instruction at, bool gather)
    {
        ref var state = ref State(at.Block);
        if (_spec.Sharding != 3)
            Fail($"{at}: parameters are not sharded");
        else if (state.Gathered == gather)
            Fail(gather ? $"{at}: gathered already" : $"{at}: not gathered");
        state.Gathered = gather;
    }

    /// <summary>A send or receive: between the right neighbours, once, and after what makes the tensor.</summary>
    private void Transfer(Instruction at, int neighbour, Done after, Done mark)
    {
        ref var pass = ref Pass(at.Block, at.Microbatch);
        if (neighbour < 0 || neighbour > Head || _layout.StageOf(neighbour) == _stage)
            Fail($"{at}: block {neighbour} is on this rank or nowhere");
        else if (at.Peer != _pipeline[_layout.StageOf(neighbour)])
            Fail($"{at}: block {neighbour} is on rank {_pipeline[_layout.StageOf(neighbour)]}");
        if ((pass & mark) != 0)
            Fail($"{at}: done twice");
        if ((pass & after) != after)
            Fail($"{at}: sent before it is computed");
        pass |= mark;
    }

    private void Forward(Instruction at)
    {
        ref var pass = ref Pass(at.Block, at.Microbatch);
        if ((pass & Done.Forward) != 0)
            Fail($"{at}: done twice");
        if (at.Block is 0 || at.Block == Head)
        {
            if (!_loaded[at.Microbatch])
                Fail($"{at}: the microbatch is not loaded");
            if (at.Block == Head && !_counted && !_spec.ForwardOnly)
                Fail($"{at}: tokens are not counted");
        }
        if (at.Block > 0 && !Has(at.Block - 1, at.Microbatch, Done.Forward, pass, Done.ReceivedActivation))
            Fail($"{at}: its input is neither computed nor received");
        NeedParameters(at);
        pass |= Done.Forward;
    }

    private void Backward(Instruction at, Done mark)
    {
        ref var pass = ref Pass(at.Block, at.Microbatch);
        if ((pass & Done.Forward) == 0)
            Fail($"{at}: its forward pass has not been");
        if ((pass & Done.InputGradient) != 0)
            Fail($"{at}: done twice");
        if (at.Op == Op.BackwardInput && !_spec.Model.IsTransformer(at.Block))
            Fail($"{at}: only transformer blocks split their backward pass");
        if (at.Block < Head && !Has(at.Block + 1, at.Microbatch, Done.InputGradient, pass, Done.ReceivedGradient))
            Fail($"{at}: the gradient of its output is neither computed nor received");
        NeedParameters(at);
        pass |= mark;
        if ((mark & Done.WeightGradient) != 0)
            Contribute(at);
    }

    private void BackwardWeight(Instruction at)
    {
        ref var pass = ref Pass(at.Block, at.Microbatch);
        if ((pass & Done.InputGradient) == 0)
            Fail($"{at}: its input gradient has not been");
        if ((pass & Done.WeightGradient) != 0)
            Fail($"{at}: done twice");
        pass |= Done.WeightGradient;
        Contribute(at);
    }

    /// <summary>Whether a neighbour on this rank has done its part, or, where it is elsewhere, its tensor's receive is posted.</summary>
    private bool Has(int neighbour, int microbatch, Done there, Done here, Done received) =>
        _localOf[neighbour] >= 0 ? (Pass(neighbour, microbatch) & there) != 0 : (here & received) != 0;

    private void NeedParameters(Instruction at)
    {
        if (_normed || _summed)
            Fail($"{at}: comes after the {(_normed ? "norm" : "sum of the loss")}");
        if (_spec.Sharding != 3)
            return;
        if (!State(at.Block).Gathered)
            Fail($"{at}: its parameters are not gathered");
        if (at.Block == Head && _spec.Model.TiedEmbeddings && !_spec.TiedAcrossStages && !State(0).Gathered)
            Fail($"{at}: the embedding's parameters, which the head uses, are not gathered");
    }

    private void Contribute(Instruction at)
    {
        ref var state = ref State(at.Block);
        if (_normed)
            Fail($"{at}: comes after the norm");
        if (state.Reductions > 0 && _spec.ReducesOnce(at.Block))
            Fail($"{at}: comes after the reduction of its block");
        if (state.TiedReduced)
            Fail($"{at}: comes after the sum of the tied gradients");
        if (Reduces && !_spec.ReducesOnce(at.Block) && state.Unreduced >= 0)
            Fail($"{at}: the gradient of microbatch {state.Unreduced} is not reduced yet");
        state.Contributions++;
        state.Unreduced = at.Microbatch;
    }

    private void Reduce(Instruction at)
    {
        ref var state = ref State(at.Block);
        if (!Reduces)
            Fail($"{at}: there is one replica");
        if (_spec.ReducesOnce(at.Block))
        {
            if (at.Microbatch != -1)
                Fail($"{at}: this block is reduced once, not by microbatch");
            if (state.Contributions < _spec.Microbatches)
                Fail($"{at}: {state.Contributions} of {_spec.Microbatches} microbatches have contributed");
            if (state.Reductions > 0)
                Fail($"{at}: reduced twice");
            if (IsTied(at.Block) && !state.TiedReduced)
                Fail($"{at}: the tied gradients are not summed yet");
        }
        else if (at.Microbatch != state.Unreduced || at.Microbatch < 0)
        {
            Fail(
                $"{at}: the gradient that waits for reduction is {(state.Unreduced < 0 ? "none" : $"that of microbatch {state.Unreduced}")}"
            );
        }
        state.Reductions++;
        state.Unreduced = -1;
    }

    private bool IsTied(int block) => _spec.TiedAcrossStages && !_spec.Model.IsTransformer(block);

    private void ReduceTied(Instruction at)
    {
        ref var state = ref State(at.Block);
        int peer = at.Block == 0 ? _pipeline[^1] : _pipeline[0];
        if (!IsTied(at.Block))
            Fail($"{at}: the block is not tied to another stage");
        else if (at.Peer != peer)
            Fail($"{at}: the other copy is on rank {peer}");
        if (state.TiedReduced)
            Fail($"{at}: done twice");
        if (state.Contributions < _spec.Microbatches)
            Fail($"{at}: {state.Contributions} of {_spec.Microbatches} microbatches have contributed");
        state.TiedReduced = true;
    }

    private void Norm()
    {
        if (_normed)
            Fail("norm: done twice");
        _normed = true;
        foreach (int block in _blocks)
        {
            ref var state = ref State(block);
            int expected =
                !Reduces ? 0
                : _spec.ReducesOnce(block) ? 1
                : _spec.Microbatches;
            if (state.Contributions < _spec.Microbatches)
                Fail($"norm: block {block} has {state.Contributions} of {_spec.Microbatches} contributions");
            if (state.Reductions != expected)
                Fail($"norm: block {block} has {state.Reductions} of {expected} reductions");
            if (IsTied(block) && !state.TiedReduced)
                Fail($"norm: the tied gradients of block {block} are not summed");
        }
    }

    private void SumLoss()
    {
        if (_summed)
            Fail("sum-loss: done twice");
        _summed = true;
    }

    private void AfterNorm(Instruction at)
    {
        ref var state = ref State(at.Block);
        if (!_normed)
            Fail($"{at}: comes before the norm");
        bool gathers = _spec.Sharding is 1 or 2;
        if (at.Op == Op.Update)
        {
            if (state.Updated)
                Fail($"{at}: done twice");
            state.Updated = true;
        }
        else if (at.Op == Op.GatherUpdated)
        {
            if (!gathers)
                Fail($"{at}: nothing to gather, optimizer state is not sharded so");
            if (!state.Updated)
                Fail($"{at}: comes before the update");
            if (state.UpdatedGathered)
                Fail($"{at}: done twice");
            state.UpdatedGathered = true;
        }
        else
        {
            if (!_spec.ComparesReplicas)
                Fail($"{at}: no checksum is asked for");
            if (!state.Updated || (gathers && !state.UpdatedGathered))
                Fail($"{at}: the block is not up to date");
            if (state.Checked)
                Fail($"{at}: done twice");
            state.Checked = true;
        }
    }

    private void CheckEnd()
    {
        if (!_normed && !_spec.ForwardOnly)
            Fail("the program has no norm");
        if (!_summed && _spec.ForwardOnly)
            Fail("the program has no sum of the loss");
        foreach (int block in _blocks)
        {
            for (int m = 0; m < _spec.Microbatches; m++)
                CheckPasses(block, m);
            ref var state = ref State(block);
            if (state.Gathered)
                Fail($"parameters of block {block} are not released");
            if (_spec.ForwardOnly)
                continue;
            if (!state.Updated)
                Fail($"block {block} is not updated");
            if (_spec.Sharding is 1 or 2 && !state.UpdatedGathered)
                Fail($"updated parameters of block {block} are not gathered");
            if (_spec.ComparesReplicas && !state.Checked)
                Fail($"block {block} is not compared across replicas");
        }
    }

    private void CheckPasses(int block, int microbatch)
    {
        var backward = Done.InputGradient | Done.WeightGradient | Done.ReceivedGradient | Done.SentGradient;
        var expected = Done.Forward | Done.InputGradient | Done.WeightGradient;
        if (block > 0 && _localOf[block - 1] < 0)
            expected |= Done.ReceivedActivation | Done.SentGradient;
        if (block < Head && _localOf[block + 1] < 0)
            expected |= Done.SentActivation | Done.ReceivedGradient;
        if (_spec.ForwardOnly)
            expected &= ~backward;
        var missing = expected & ~Pass(block, microbatch);
        if (missing != 0)
            Fail($"block {block} microbatch {microbatch} lacks: {missing}");
    }

    private bool Fail(string reason)
    {
        if (_violations.Count < ProgramChecker.ReportedAtMost)
            _violations.Add(new Violation(_rank, _index, reason));
        return true;
    }
}
