namespace Uniscale.Programs.Tests.Properties;

/// <summary>What is done to a program.</summary>
internal enum MutationKind
{
    Drop,
    Swap,
    Duplicate,
}

/// <summary>A change of one rank's program, chosen by numbers so that it fits any program.</summary>
internal sealed record Mutation(MutationKind Kind, int Rank, int First, int Second)
{
    /// <summary>Operations that the change drops, moves or copies.</summary>
    public IEnumerable<Op> Touched(IReadOnlyList<StepProgram> programs)
    {
        var list = programs[Rank % programs.Count].Instructions;
        yield return list[First % list.Count].Op;
        if (Kind == MutationKind.Swap)
            yield return list[Second % list.Count].Op;
    }

    /// <summary>The programs with the change made.</summary>
    public StepProgram[] Apply(IReadOnlyList<StepProgram> programs)
    {
        var changed = programs.ToArray();
        int rank = Rank % changed.Length;
        var list = changed[rank].Instructions.ToList();
        int first = First % list.Count,
            second = Second % list.Count;
        switch (Kind)
        {
            case MutationKind.Drop:
                list.RemoveAt(first);
                break;
            case MutationKind.Swap:
                (list[first], list[second]) = (list[second], list[first]);
                break;
            default:
                list.Insert(second, list[first]);
                break;
        }
        changed[rank] = new StepProgram(rank, list);
        return changed;
    }
}
