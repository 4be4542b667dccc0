using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Uniscale.Programs.Schedules;

/// <summary>
/// The schedules by name. One in this assembly needs no entry anywhere: its class is found. One of another assembly is added once, before
/// configurations
/// that name it pass the <see cref="LayoutGate"/>.
/// </summary>
public static class ScheduleRegistry
{
    private static ImmutableSortedDictionary<string, ISchedule> _byName = Discover();

    /// <summary>Names in alphabetical order.</summary>
    public static IReadOnlyCollection<string> Names => [.. _byName.Keys];

    /// <summary>All schedules.</summary>
    public static IReadOnlyCollection<ISchedule> All => [.. _byName.Values];

    /// <summary>The schedule of a name.</summary>
    /// <exception cref="LayoutException">There is none.</exception>
    public static ISchedule Find(string name) => TryFind(name, out var schedule) ? schedule : throw new LayoutException(Unknown(name));

    /// <summary>The schedule of a name, if there is one.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out ISchedule? schedule) => _byName.TryGetValue(name, out schedule);

    /// <summary>
    /// Adds a schedule of another assembly: layouts may name it until the result is disposed, or to the end of the process.
    /// </summary>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    public static IDisposable Add(ISchedule schedule)
    {
        ImmutableInterlocked.Update(ref _byName, all => all.Add(schedule.Name, schedule));
        return new Addition(schedule.Name);
    }

    /// <summary>Says that there is no schedule of a name, and which there are.</summary>
    internal static string Unknown(string name) => $"there is no schedule '{name}': choose one of {string.Join(", ", Names)}";

    private static ImmutableSortedDictionary<string, ISchedule> Discover() =>
        typeof(ISchedule)
            .Assembly.GetTypes()
            .Where(type => type.IsAssignableTo(typeof(ISchedule)) && !type.IsAbstract)
            .Select(type => (ISchedule)Activator.CreateInstance(type)!)
            .ToImmutableSortedDictionary(schedule => schedule.Name, schedule => schedule, StringComparer.Ordinal);

    private sealed class Addition(string name) : IDisposable
    {
        public void Dispose() => ImmutableInterlocked.Update(ref _byName, all => all.Remove(name));
    }
}
