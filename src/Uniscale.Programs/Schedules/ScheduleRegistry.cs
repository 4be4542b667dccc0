namespace Uniscale.Programs.Schedules;

/// <summary>The schedules of this assembly by name. A new one needs no entry anywhere: its class is found.</summary>
public static class ScheduleRegistry
{
    private static readonly SortedDictionary<string, ISchedule> ByName = Discover();

    /// <summary>Names in alphabetical order.</summary>
    public static IReadOnlyCollection<string> Names => ByName.Keys;

    /// <summary>All schedules.</summary>
    public static IReadOnlyCollection<ISchedule> All => ByName.Values;

    /// <summary>The schedule of a name.</summary>
    /// <exception cref="LayoutException">There is none.</exception>
    public static ISchedule Find(string name) => ByName.TryGetValue(name, out var schedule)
        ? schedule
        : throw new LayoutException($"there is no schedule '{name}': choose one of {string.Join(", ", Names)}");

    private static SortedDictionary<string, ISchedule> Discover()
    {
        var found = new SortedDictionary<string, ISchedule>(StringComparer.Ordinal);
        foreach (var type in typeof(ISchedule).Assembly.GetTypes())
        {
            if (!type.IsAssignableTo(typeof(ISchedule)) || type.IsAbstract) continue;
            var schedule = (ISchedule)Activator.CreateInstance(type)!;
            found.Add(schedule.Name, schedule);
        }
        return found;
    }
}
