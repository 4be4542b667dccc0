namespace Uniscale.Programs.Checking;

/// <summary>What has been done for one block and microbatch.</summary>
[Flags]
internal enum Done : byte
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

/// <summary>
/// Rules of one pass, a block and a microbatch: loaded, received, forward, sent, backward, each once and after what it needs.
/// </summary>
internal sealed class PassRules
{
    private readonly CheckedRank _rank;
    private readonly BlockRules _blocks;
    private readonly Done[] _passes;
    private readonly bool[] _loaded;
    private int _loadCount;
    private bool _counted;

    public PassRules(CheckedRank rank, BlockRules blocks)
    {
        (_rank, _blocks) = (rank, blocks);
        _passes = new Done[rank.Blocks.Length * Spec.Microbatches];
        _loaded = new bool[Spec.Microbatches];
    }

    private StepSpecification Spec => _rank.Spec;

    private int Head => Spec.Model.Head;

    private bool HoldsHead => _rank.LocalOf[Head] >= 0;

    public void Load(Instruction at)
    {
        if (!HoldsHead && _rank.LocalOf[0] < 0)
            _rank.Fail($"{at}: this rank holds neither embedding nor head");
        if (_loaded[at.Microbatch])
            _rank.Fail($"{at}: loaded twice");
        if (_counted)
            _rank.Fail($"{at}: comes after the count of tokens");
        _loaded[at.Microbatch] = true;
        _loadCount++;
    }

    public void CountTokens()
    {
        if (!HoldsHead)
            _rank.Fail("tokens are counted where the head is not");
        if (_counted)
            _rank.Fail("tokens are counted twice");
        if (_loadCount < Spec.Microbatches)
            _rank.Fail($"tokens are counted when {_loadCount} of {Spec.Microbatches} microbatches are loaded");
        _counted = true;
    }

    /// <summary>A send or receive: between the right neighbours, once, and after what makes the tensor.</summary>
    public void Transfer(Instruction at, int neighbour, Done after, Done mark)
    {
        ref var pass = ref Pass(at.Block, at.Microbatch);
        if (neighbour < 0 || neighbour > Head || _rank.Layout.StageOf(neighbour) == _rank.Stage)
            _rank.Fail($"{at}: block {neighbour} is on this rank or nowhere");
        else if (at.Peer != _rank.Pipeline[_rank.Layout.StageOf(neighbour)])
            _rank.Fail($"{at}: block {neighbour} is on rank {_rank.Pipeline[_rank.Layout.StageOf(neighbour)]}");
        if ((pass & mark) != 0)
            _rank.Fail($"{at}: done twice");
        if ((pass & after) != after)
            _rank.Fail($"{at}: sent before it is computed");
        pass |= mark;
    }

    public void Forward(Instruction at)
    {
        ref var pass = ref Pass(at.Block, at.Microbatch);
        if ((pass & Done.Forward) != 0)
            _rank.Fail($"{at}: done twice");
        if (at.Block is 0 || at.Block == Head)
        {
            if (!_loaded[at.Microbatch])
                _rank.Fail($"{at}: the microbatch is not loaded");
            if (at.Block == Head && !_counted && !Spec.ForwardOnly)
                _rank.Fail($"{at}: tokens are not counted");
        }
        if (at.Block > 0 && !Has(at.Block - 1, at.Microbatch, Done.Forward, pass, Done.ReceivedActivation))
            _rank.Fail($"{at}: its input is neither computed nor received");
        _blocks.NeedParameters(at);
        pass |= Done.Forward;
    }

    public void Backward(Instruction at, Done mark)
    {
        ref var pass = ref Pass(at.Block, at.Microbatch);
        if ((pass & Done.Forward) == 0)
            _rank.Fail($"{at}: its forward pass has not been");
        if ((pass & Done.InputGradient) != 0)
            _rank.Fail($"{at}: done twice");
        if (at.Op == Op.BackwardInput && !Spec.Model.IsTransformer(at.Block))
            _rank.Fail($"{at}: only transformer blocks split their backward pass");
        if (at.Block < Head && !Has(at.Block + 1, at.Microbatch, Done.InputGradient, pass, Done.ReceivedGradient))
            _rank.Fail($"{at}: the gradient of its output is neither computed nor received");
        _blocks.NeedParameters(at);
        pass |= mark;
        if ((mark & Done.WeightGradient) != 0)
            _blocks.Contribute(at);
    }

    public void BackwardWeight(Instruction at)
    {
        ref var pass = ref Pass(at.Block, at.Microbatch);
        if ((pass & Done.InputGradient) == 0)
            _rank.Fail($"{at}: its input gradient has not been");
        if ((pass & Done.WeightGradient) != 0)
            _rank.Fail($"{at}: done twice");
        pass |= Done.WeightGradient;
        _blocks.Contribute(at);
    }

    /// <summary>All passes of a block have been made.</summary>
    public void CheckEnd(int block)
    {
        for (int microbatch = 0; microbatch < Spec.Microbatches; microbatch++)
            CheckPass(block, microbatch);
    }

    private void CheckPass(int block, int microbatch)
    {
        var backward = Done.InputGradient | Done.WeightGradient | Done.ReceivedGradient | Done.SentGradient;
        var expected = Done.Forward | Done.InputGradient | Done.WeightGradient;
        if (block > 0 && _rank.LocalOf[block - 1] < 0)
            expected |= Done.ReceivedActivation | Done.SentGradient;
        if (block < Head && _rank.LocalOf[block + 1] < 0)
            expected |= Done.SentActivation | Done.ReceivedGradient;
        if (Spec.ForwardOnly)
            expected &= ~backward;
        var missing = expected & ~Pass(block, microbatch);
        if (missing != 0)
            _rank.Fail($"block {block} microbatch {microbatch} lacks: {missing}");
    }

    /// <summary>Whether a neighbour on this rank has done its part, or, where it is elsewhere, its tensor's receive is posted.</summary>
    private bool Has(int neighbour, int microbatch, Done there, Done here, Done received) =>
        _rank.LocalOf[neighbour] >= 0 ? (Pass(neighbour, microbatch) & there) != 0 : (here & received) != 0;

    private ref Done Pass(int block, int microbatch) => ref _passes[_rank.LocalOf[block] * Spec.Microbatches + microbatch];
}
