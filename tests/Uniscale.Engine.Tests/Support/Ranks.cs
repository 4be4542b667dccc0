using System.Runtime.ExceptionServices;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Torch;

namespace Uniscale.Engine.Tests.Support;

/// <summary>Runs a body on every rank of an in-process world, each on its own thread.</summary>
internal static class Ranks
{
    /// <summary>A rank that hangs fails the test, on a machine however busy.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Runs a body on every rank; results by rank. The first failure ends all and is thrown.</summary>
    public static T[] Run<T>(int size, Func<IWorld, T> body)
    {
        var worlds = InProcessWorld.Create(size);
        var results = new T[size];
        Exception? failure = null;
        var threads = worlds
            .Select(world => new Thread(() =>
            {
                using (world)
                {
                    try
                    {
                        // A thread takes the number that any other test set last: sums would have another order from run to run.
                        TorchThreads.Set(1);
                        results[world.Rank] = body(world);
                    }
                    catch (Exception exception) when (Note(exception))
                    {
                        // Noted in the filter, as launchers do: before the stack unwinds and frees memory that other ranks may still read.
                    }

                    bool Note(Exception exception)
                    {
                        Interlocked.CompareExchange(ref failure, exception, null);
                        world.Abort(exception.Message);
                        return true;
                    }
                }
            })
            {
                IsBackground = true,
            })
            .ToList();
        threads.ForEach(thread => thread.Start());
        Assert.True(threads.TrueForAll(thread => thread.Join(Patience)), "a rank hangs");
        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
        return results;
    }
}
