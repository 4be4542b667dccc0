using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;

namespace Uniscale.Engine.Tests.Support;

/// <summary>Runs a body on every rank of an in-process world, each on its own thread.</summary>
internal static class Ranks
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Results by rank; the first exception of a rank fails the test and ends the others.</summary>
    public static T[] Run<T>(int size, Func<IWorld, T> body)
    {
        var worlds = InProcessWorld.Create(size);
        var results = new T[size];
        var failures = new List<Exception>();
        var threads = worlds.Select(world => new Thread(() =>
        {
            using (world)
            {
                try
                {
                    results[world.Rank] = body(world);
                }
                catch (Exception exception) when (Note(exception))
                {
                    // Noted in the filter, as launchers do: before the stack unwinds and frees memory that other ranks may still read.
                }

                bool Note(Exception exception)
                {
                    lock (failures)
                        failures.Add(exception);
                    world.Abort(exception.Message);
                    return true;
                }
            }
        })
        { IsBackground = true }).ToList();
        threads.ForEach(thread => thread.Start());
        Assert.True(threads.TrueForAll(thread => thread.Join(Patience)), "a rank hangs");
        Assert.True(failures.Count == 0, failures.FirstOrDefault()?.ToString());
        return results;
    }
}
