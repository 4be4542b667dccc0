namespace Uniscale.Programs.Checking;

/// <summary>
/// Rules of one block: parameters gathered where they are used, gradients reduced once they are whole, the update after the norm, the
/// gathering and the comparison of what was updated.
/// </summary>
internal sealed class BlockRules
{
    private readonly CheckedRank _rank;
    private readonly BlockState[] _states;
    private bool _normed;
    private bool _summed;

    public BlockRules(CheckedRank rank)
    {
        _rank = rank;
        _states = new BlockState[rank.Blocks.Length];
        for (int i = 0; i < _states.Length; i++)
            _states[i].Unreduced = -1;
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

    private StepSpecification Spec => _rank.Spec;

    private bool Reduces => Spec.ReplicaCount > 1;

    public void Gather(Instruction at, bool gather)
    {
        ref var state = ref State(at.Block);
        if (Spec.Sharding != 3)
            _rank.Fail($"{at}: parameters are not sharded");
        else if (state.Gathered == gather)
            _rank.Fail(gather ? $"{at}: gathered already" : $"{at}: not gathered");
        state.Gathered = gather;
    }

    public void NeedParameters(Instruction at)
    {
        if (_normed || _summed)
            _rank.Fail($"{at}: comes after the {(_normed ? "norm" : "sum of the loss")}");
        if (Spec.Sharding != 3)
            return;
        if (!State(at.Block).Gathered)
            _rank.Fail($"{at}: its parameters are not gathered");
        if (at.Block == Spec.Model.Head && Spec.Model.TiedEmbeddings && !Spec.TiedAcrossStages && !State(0).Gathered)
            _rank.Fail($"{at}: the embedding's parameters, which the head uses, are not gathered");
    }

    public void Contribute(Instruction at)
    {
        ref var state = ref State(at.Block);
        if (_normed)
            _rank.Fail($"{at}: comes after the norm");
        if (state.Reductions > 0 && Spec.ReducesOnce(at.Block))
            _rank.Fail($"{at}: comes after the reduction of its block");
        if (state.TiedReduced)
            _rank.Fail($"{at}: comes after the sum of the tied gradients");
        if (Reduces && !Spec.ReducesOnce(at.Block) && state.Unreduced >= 0)
            _rank.Fail($"{at}: the gradient of microbatch {state.Unreduced} is not reduced yet");
        state.Contributions++;
        state.Unreduced = at.Microbatch;
    }

    public void Reduce(Instruction at)
    {
        ref var state = ref State(at.Block);
        if (!Reduces)
            _rank.Fail($"{at}: there is one replica");
        if (Spec.ReducesOnce(at.Block))
        {
            if (at.Microbatch != -1)
                _rank.Fail($"{at}: this block is reduced once, not by microbatch");
            if (state.Contributions < Spec.Microbatches)
                _rank.Fail($"{at}: {state.Contributions} of {Spec.Microbatches} microbatches have contributed");
            if (state.Reductions > 0)
                _rank.Fail($"{at}: reduced twice");
            if (IsTied(at.Block) && !state.TiedReduced)
                _rank.Fail($"{at}: the tied gradients are not summed yet");
        }
        else if (at.Microbatch != state.Unreduced || at.Microbatch < 0)
        {
            _rank.Fail(
                $"{at}: the gradient that waits for reduction is {(state.Unreduced < 0 ? "none" : $"that of microbatch {state.Unreduced}")}"
            );
        }
        state.Reductions++;
        state.Unreduced = -1;
    }

    private bool IsTied(int block) => Spec.TiedAcrossStages && !Spec.Model.IsTransformer(block);

    public void ReduceTied(Instruction at)
    {
        ref var state = ref State(at.Block);
        int peer = at.Block == 0 ? _rank.Pipeline[^1] : _rank.Pipeline[0];
        if (!IsTied(at.Block))
            _rank.Fail($"{at}: the block is not tied to another stage");
        else if (at.Peer != peer)
            _rank.Fail($"{at}: the other copy is on rank {peer}");
        if (state.TiedReduced)
            _rank.Fail($"{at}: done twice");
        if (state.Contributions < Spec.Microbatches)
            _rank.Fail($"{at}: {state.Contributions} of {Spec.Microbatches} microbatches have contributed");
        state.TiedReduced = true;
    }

    public void Norm()
    {
        if (_normed)
            _rank.Fail("norm: done twice");
        _normed = true;
        foreach (int block in _rank.Blocks)
        {
            ref var state = ref State(block);
            int expected =
                !Reduces ? 0
                : Spec.ReducesOnce(block) ? 1
                : Spec.Microbatches;
            if (state.Contributions < Spec.Microbatches)
                _rank.Fail($"norm: block {block} has {state.Contributions} of {Spec.Microbatches} contributions");
            if (state.Reductions != expected)
                _rank.Fail($"norm: block {block} has {state.Reductions} of {expected} reductions");
            if (IsTied(block) && !state.TiedReduced)
                _rank.Fail($"norm: the tied gradients of block {block} are not summed");
        }
    }

    public void SumLoss()
    {
        if (_summed)
            _rank.Fail("sum-loss: done twice");
        _summed = true;
    }

    public void AfterNorm(Instruction at)
    {
        ref var state = ref State(at.Block);
        if (!_normed)
            _rank.Fail($"{at}: comes before the norm");
        bool gathers = Spec.Sharding is 1 or 2;
        if (at.Op == Op.Update)
        {
            if (state.Updated)
                _rank.Fail($"{at}: done twice");
            state.Updated = true;
        }
        else if (at.Op == Op.GatherUpdated)
        {
            if (!gathers)
                _rank.Fail($"{at}: nothing to gather, optimizer state is not sharded so");
            if (!state.Updated)
                _rank.Fail($"{at}: comes before the update");
            if (state.UpdatedGathered)
                _rank.Fail($"{at}: done twice");
            state.UpdatedGathered = true;
        }
        else
        {
            if (!Spec.ComparesReplicas)
                _rank.Fail($"{at}: no checksum is asked for");
            if (!state.Updated || (gathers && !state.UpdatedGathered))
                _rank.Fail($"{at}: the block is not up to date");
            if (state.Checked)
                _rank.Fail($"{at}: done twice");
            state.Checked = true;
        }
    }

    /// <summary>The step came to its one exchange.</summary>
    public void CheckStep()
    {
        if (!_normed && !Spec.ForwardOnly)
            _rank.Fail("the program has no norm");
        if (!_summed && Spec.ForwardOnly)
            _rank.Fail("the program has no sum of the loss");
    }

    /// <summary>A block is as the next step needs it.</summary>
    public void CheckEnd(int block)
    {
        ref var state = ref State(block);
        if (state.Gathered)
            _rank.Fail($"parameters of block {block} are not released");
        if (Spec.ForwardOnly)
            return;
        if (!state.Updated)
            _rank.Fail($"block {block} is not updated");
        if (Spec.Sharding is 1 or 2 && !state.UpdatedGathered)
            _rank.Fail($"updated parameters of block {block} are not gathered");
        if (Spec.ComparesReplicas && !state.Checked)
            _rank.Fail($"block {block} is not compared across replicas");
    }

    private ref BlockState State(int block) => ref _states[_rank.LocalOf[block]];
}
