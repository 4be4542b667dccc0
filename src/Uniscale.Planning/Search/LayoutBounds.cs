using Uniscale.Planning.Clusters;
using Uniscale.Planning.Costs;

namespace Uniscale.Planning.Search;

/// <summary>
/// Bounds of a layout that hold whatever its simulation says, without writing its programs. Time: a stage cannot begin before the first
/// microbatch has come through those below it,
/// works through all microbatches, and (unless weight gradients come last) the last gradient still goes down to the first stage; or the
/// collectives alone take longer.
/// Memory: state, and what the order of passes keeps of whole chunks.
/// </summary>
public sealed class LayoutBounds
{
    private readonly StepSpecification _spec;
    private readonly StackSection _stack;
    private readonly StagePartition _partition;

    /// <summary>Bounds of a layout.</summary>
    /// <exception cref="LayoutException">It breaks a rule.</exception>
    public LayoutBounds(StepSpecification spec, Cluster cluster, StackSection stack)
    {
        SpecificationRules.Check(spec);
        (_spec, _stack) = (spec, stack);
        _partition = StagePartition.Of(spec);
        Bytes = Enumerable.Range(0, spec.Mesh.Pipeline).Where(stage => stage == 0 || stage == spec.Mesh.Pipeline - 1).Max(BytesOf);
        Seconds = SecondsOf(new InstructionCosts(spec, cluster, stack));
    }

    /// <summary>No step is shorter.</summary>
    public double Seconds { get; }

    /// <summary>Some rank needs at least this.</summary>
    public double Bytes { get; }

    private double BytesOf(int stage)
    {
        double count = _partition.BlocksOf(stage).Sum(block => (double)ParameterCount.OfBlock(_spec, block));
        int group = _spec.ZeroGroup,
            sharding = _spec.Sharding;
        int optimizer = _spec.ActivationBytes == sizeof(float) ? 2 * sizeof(float) : 3 * sizeof(float);
        double state =
            count
            * (
                _spec.ActivationBytes / (sharding == 3 ? (double)group : 1)
                + sizeof(float) / (sharding >= 2 && !_spec.TiedAcrossStages ? (double)group : 1)
                + optimizer / (sharding >= 1 ? (double)group : 1)
            );
        return state + KeptOf(stage);
    }

    private double KeptOf(int stage)
    {
        var memory = new ActivationMemory(_spec, new ActivationTraits(_stack.Attention == AttentionKind.Scores, _stack.Dropout));
        double[] chunks =
        [
            .. Enumerable
                .Range(0, _spec.Chunks)
                .Select(chunk =>
                {
                    var range = _partition.RangeOf(stage, chunk);
                    return Enumerable.Range(range.First, range.Count).Sum(block => (double)memory.KeptBytes(block));
                }),
        ];
        double live = 0,
            peak = 0;
        foreach (
            var slot in ScheduleRegistry
                .Find(_spec.Schedule)
                .SlotsOf(new PipelineShape(_spec.Mesh.Pipeline, _spec.Chunks, _spec.Microbatches), stage)
        )
        {
            if (slot.Pass == Pass.Forward)
                peak = Math.Max(peak, live += chunks[slot.Chunk]);
            else if (slot.Pass != Pass.BackwardWeight)
                live -= chunks[slot.Chunk];
            // The order repeats once all chunks of the first microbatches are backward.
            if (slot.Pass == Pass.Backward && slot.Microbatch >= 2 * _spec.Mesh.Pipeline)
                break;
        }
        return peak;
    }

    private double SecondsOf(InstructionCosts costs)
    {
        int stages = _spec.Mesh.Pipeline;
        bool split = _spec.Schedule == "zero-bubble";
        double fill = 0,
            longest = 0;
        for (int stage = 0; stage < stages; stage++)
        {
            double work = 0,
                update = 0,
                gather = 0,
                lane = 0;
            var place = costs.Links.PlaceOf(RankGroups.Of(_spec, _spec.Mesh.RankOf(new Coordinate(stage, 0, 0, 0))).Shards);
            foreach (int block in _partition.BlocksOf(stage))
            {
                work += costs.Of(new Instruction(Op.Forward, block)).Total + costs.Of(new Instruction(Op.Backward, block)).Total;
                update += costs.Update(block);
                if (_spec.Sharding is 1 or 2)
                    gather += costs.Gather(block, place);
                if (_spec.Sharding >= 2)
                    lane += costs.Reduce(block, false, place, place) * _spec.Microbatches;
                if (_spec.Sharding == 3)
                    lane += costs.Gather(block, place) * _spec.Microbatches;
            }
            double end = fill + work * _spec.Microbatches;
            longest = Math.Max(longest, Math.Max(end, lane) + Math.Max(update, gather));
            var first = _partition.RangeOf(stage, 0);
            for (int block = first.First; block <= first.Last; block++)
                fill +=
                    costs.Of(new Instruction(Op.Forward, block)).Total + (split ? 0 : costs.Of(new Instruction(Op.Backward, block)).Total);
        }
        return longest + costs.Stack.Constants.StepOverhead;
    }
}
