namespace Uniscale.Programs.Checking;

/// <summary>The rank whose program is read: its place in the layout, where the reading is, and what was found.</summary>
internal sealed class CheckedRank
{
    private readonly List<Violation> _violations;

    public CheckedRank(CheckedLayout layout, int rank, List<Violation> violations)
    {
        (Layout, Rank, _violations) = (layout, rank, violations);
        Stage = Spec.Mesh.CoordinateOf(rank).Pipeline;
        Pipeline = Spec.Mesh.GroupOf(rank, Axis.Pipeline);
        Blocks = layout.BlocksOfStage[Stage];
        LocalOf = [.. Enumerable.Repeat(-1, Spec.Model.BlockCount)];
        for (int i = 0; i < Blocks.Length; i++)
            LocalOf[Blocks[i]] = i;
    }

    public CheckedLayout Layout { get; }

    public StepSpecification Spec => Layout.Spec;

    public int Rank { get; }

    public int Stage { get; }

    /// <summary>Ranks of its pipeline, by stage.</summary>
    public IReadOnlyList<int> Pipeline { get; }

    /// <summary>The blocks that it holds.</summary>
    public int[] Blocks { get; }

    /// <summary>Place of each block of the model among these; -1: it is elsewhere.</summary>
    public int[] LocalOf { get; }

    /// <summary>The instruction that is read.</summary>
    public int Index { get; set; }

    /// <summary>Adds a violation; true.</summary>
    public bool Fail(string reason)
    {
        if (_violations.Count < ProgramChecker.ReportedAtMost)
            _violations.Add(new Violation(Rank, Index, reason));
        return true;
    }
}
