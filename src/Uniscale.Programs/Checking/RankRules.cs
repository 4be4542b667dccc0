namespace Uniscale.Programs.Checking;

/// <summary>
/// Rules that one rank's program must keep by itself: <see cref="PassRules"/> for each block and microbatch,
/// <see cref="BlockRules"/> for each block, and here whether an instruction belongs to the program at all.
/// </summary>
internal sealed class RankRules
{
    private readonly CheckedRank _rank;
    private readonly PassRules _passes;
    private readonly BlockRules _blocks;

    public RankRules(CheckedLayout layout, int rank, List<Violation> violations)
    {
        _rank = new CheckedRank(layout, rank, violations);
        _blocks = new BlockRules(_rank);
        _passes = new PassRules(_rank, _blocks);
    }

    private StepSpecification Spec => _rank.Spec;

    public void Check(StepProgram program)
    {
        if (program.Rank != _rank.Rank)
            _rank.Fail($"the program is that of rank {program.Rank}");
        for (_rank.Index = 0; _rank.Index < program.Instructions.Count; _rank.Index++)
            Run(program.Instructions[_rank.Index]);
        _blocks.CheckStep();
        foreach (int block in _rank.Blocks)
        {
            _passes.CheckEnd(block);
            _blocks.CheckEnd(block);
        }
    }

    private void Run(Instruction at)
    {
        if (OperandsAreWrong(at) || DoesNotBelong(at))
            return;
        switch (at.Op)
        {
            case Op.Load:
                _passes.Load(at);
                break;
            case Op.CountTokens:
                _passes.CountTokens();
                break;
            case Op.GatherParameters:
                _blocks.Gather(at, gather: true);
                break;
            case Op.ReleaseParameters:
                _blocks.Gather(at, gather: false);
                break;
            case Op.ReceiveActivation:
                _passes.Transfer(at, at.Block - 1, Done.None, Done.ReceivedActivation);
                break;
            case Op.SendActivation:
                _passes.Transfer(at, at.Block + 1, Done.Forward, Done.SentActivation);
                break;
            case Op.ReceiveGradient:
                _passes.Transfer(at, at.Block + 1, Done.None, Done.ReceivedGradient);
                break;
            case Op.SendGradient:
                _passes.Transfer(at, at.Block - 1, Done.InputGradient, Done.SentGradient);
                break;
            case Op.Forward:
                _passes.Forward(at);
                break;
            case Op.Backward:
                _passes.Backward(at, Done.InputGradient | Done.WeightGradient);
                break;
            case Op.BackwardInput:
                _passes.Backward(at, Done.InputGradient);
                break;
            case Op.BackwardWeight:
                _passes.BackwardWeight(at);
                break;
            case Op.ReduceGradients:
                _blocks.Reduce(at);
                break;
            case Op.ReduceTied:
                _blocks.ReduceTied(at);
                break;
            case Op.Norm:
                _blocks.Norm();
                break;
            case Op.SumLoss:
                _blocks.SumLoss();
                break;
            default:
                _blocks.AfterNorm(at);
                break;
        }
    }

    private bool OperandsAreWrong(Instruction at)
    {
        bool ofBlock = at.Op is not (Op.Load or Op.CountTokens or Op.Norm or Op.SumLoss);
        if (ofBlock && (at.Block < 0 || at.Block >= _rank.LocalOf.Length || _rank.LocalOf[at.Block] < 0))
            return _rank.Fail($"{at}: this rank (stage {_rank.Stage}) does not hold block {at.Block}");
        bool ofMicrobatch = at.Op == Op.Load || (at.Op is >= Op.ReceiveActivation and <= Op.BackwardWeight);
        if (ofMicrobatch && (at.Microbatch < 0 || at.Microbatch >= Spec.Microbatches))
            return _rank.Fail($"{at}: the step has microbatches 0 to {Spec.Microbatches - 1}");
        return false;
    }

    private bool DoesNotBelong(Instruction at)
    {
        bool belongs =
            at.Op is Op.Load or Op.GatherParameters or Op.ReleaseParameters or Op.ReceiveActivation or Op.SendActivation or Op.Forward
            || Spec.ForwardOnly == (at.Op == Op.SumLoss);
        return !belongs
            && _rank.Fail(Spec.ForwardOnly ? $"{at}: the program goes forward only" : $"{at}: the loss of a step is summed with its norm");
    }
}
