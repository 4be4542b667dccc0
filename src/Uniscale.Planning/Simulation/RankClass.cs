using Uniscale.Planning.Costs;

namespace Uniscale.Planning.Simulation;

/// <summary>
/// Ranks that do the same at the same time: one program, links of the same kind, and the same classes at their other ends.
/// </summary>
/// <param name="Index">Number of the class.</param>
/// <param name="Rank">Its first world rank, which stands for all.</param>
/// <param name="Count">Its ranks.</param>
/// <param name="Stage">Their pipeline stage.</param>
/// <param name="Places">Where their groups lie.</param>
public sealed record RankClass(int Index, int Rank, int Count, int Stage, RankPlaces Places)
{
    /// <summary>Classes of the ranks in each group, this one included: who has to be there before a collective runs.</summary>
    public required ClassGroups Groups { get; init; }

    /// <summary>Class of another rank, by the stage it has in this rank's pipeline.</summary>
    public required IReadOnlyList<int> ClassOfStage { get; init; }
}

/// <summary>Where the groups of a rank lie.</summary>
public readonly record struct RankPlaces(
    GroupPlace Lockstep,
    GroupPlace Replicas,
    GroupPlace Shards,
    GroupPlace ShardReplicas,
    GroupPlace Tied,
    GroupPlace ToNext,
    GroupPlace ToPrevious
);

/// <summary>Classes in the groups of a rank, ascending.</summary>
public sealed record ClassGroups(int[] Lockstep, int[] Replicas, int[] Shards, int[] ShardReplicas, int[] Tied);

/// <summary>
/// Finds the classes of a layout's ranks by refinement: ranks begin in one class where stage and links are the same, and a class is split
/// where its ranks
/// meet different classes, until none is. Ranks of a class then have equal times, so one of each is simulated.
/// </summary>
public static class RankClasses
{
    /// <summary>Classes of all ranks.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="links">Where machines and pods end.</param>
    public static IReadOnlyList<RankClass> Of(StepSpecification spec, LinkTimes links)
    {
        int size = spec.Mesh.Size;
        var groups = new RankGroups[size];
        var places = new RankPlaces[size];
        int[] stages = new int[size];
        var cache = new Dictionary<(int Kind, int First, int Second), GroupPlace>();
        for (int rank = 0; rank < size; rank++)
        {
            groups[rank] = RankGroups.Of(spec, rank);
            stages[rank] = spec.Mesh.CoordinateOf(rank).Pipeline;
            places[rank] = PlacesOf(groups[rank], stages[rank], rank, links, cache);
        }
        int[] classes = Number(size, rank => (stages[rank], places[rank]));
        while (true)
        {
            int[] current = classes;
            int[] refined = Number(size, rank => Signature(groups[rank], current, rank));
            if (refined.Max() == classes.Max())
                break;
            classes = refined;
        }
        return Build(groups, places, stages, classes);
    }

    private static RankPlaces PlacesOf(
        RankGroups groups,
        int stage,
        int rank,
        LinkTimes links,
        Dictionary<(int, int, int), GroupPlace> cache
    )
    {
        GroupPlace Place(int kind, IReadOnlyList<int> ranks)
        {
            if (ranks.Count <= 1)
                return new GroupPlace(ranks.Count, 1, 1, 1);
            var key = (kind, ranks[0], ranks[1]);
            return cache.TryGetValue(key, out var known) ? known : cache[key] = links.PlaceOf(ranks);
        }
        int count = groups.Pipeline.Count;
        return new RankPlaces(
            Place(0, groups.Lockstep),
            Place(1, groups.Replicas),
            Place(2, groups.Shards),
            Place(3, groups.ShardReplicas),
            Place(4, groups.Tied),
            links.PlaceOf([rank, groups.Pipeline[(stage + 1) % count]]),
            links.PlaceOf([rank, groups.Pipeline[(stage + count - 1) % count]])
        );
    }

    private static int[] Number<T>(int size, Func<int, T> signature)
        where T : notnull
    {
        var numbers = new Dictionary<T, int>();
        int[] classes = new int[size];
        for (int rank = 0; rank < size; rank++)
        {
            var key = signature(rank);
            if (!numbers.TryGetValue(key, out classes[rank]))
                numbers[key] = classes[rank] = numbers.Count;
        }
        return classes;
    }

    private static string Signature(RankGroups groups, int[] classes, int rank) =>
        string.Join(
            '|',
            classes[rank],
            Text(Distinct(groups.Lockstep, classes)),
            Text(Distinct(groups.Replicas, classes)),
            Text(Distinct(groups.Shards, classes)),
            Text(Distinct(groups.ShardReplicas, classes)),
            Text(Distinct(groups.Tied, classes)),
            Text(groups.Pipeline.Select(other => classes[other]))
        );

    private static string Text(IEnumerable<int> numbers) => string.Join(',', numbers);

    private static int[] Distinct(IReadOnlyList<int> ranks, int[] classes)
    {
        // Nearly every group lies in one class.
        int first = ranks.Count == 0 ? -1 : classes[ranks[0]];
        bool same = true;
        for (int i = 1; i < ranks.Count && same; i++)
            same = classes[ranks[i]] == first;
        if (same)
            return first < 0 ? [] : [first];
        return [.. ranks.Select(rank => classes[rank]).Distinct().Order()];
    }

    private static RankClass[] Build(RankGroups[] groups, RankPlaces[] places, int[] stages, int[] classes)
    {
        var found = new RankClass[classes.Max() + 1];
        int[] counts = new int[found.Length];
        foreach (int number in classes)
            counts[number]++;
        for (int rank = 0; rank < classes.Length; rank++)
        {
            int number = classes[rank];
            if (found[number] is not null)
                continue;
            var of = groups[rank];
            found[number] = new RankClass(number, rank, counts[number], stages[rank], places[rank])
            {
                Groups = new ClassGroups(
                    Distinct(of.Lockstep, classes),
                    Distinct(of.Replicas, classes),
                    Distinct(of.Shards, classes),
                    Distinct(of.ShardReplicas, classes),
                    Distinct(of.Tied, classes)
                ),
                ClassOfStage = [.. of.Pipeline.Select(other => classes[other])],
            };
        }
        return found;
    }
}
