using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Nccl;
using Uniscale.NcclEmulation;

namespace Uniscale.Collectives.Tests.Nccl;

/// <summary>Tests on the emulator, which has one set of settings: they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class NcclTests : ICollectionFixture<NcclTests.Emulator>
{
    public const string Name = "NCCL";

    public sealed class Emulator
    {
        public Emulator() => NcclEmulator.Use();
    }
}

/// <summary>Ranks as threads, each with a device of the emulator.</summary>
internal static class NcclRanks
{
    /// <summary>Runs a body on the ranks of a world on devices and collects what each threw.</summary>
    /// <param name="ranks">Number of ranks.</param>
    /// <param name="body">The rank.</param>
    /// <param name="device">Device of a rank; null: that of its number, with tensors of the device.</param>
    public static Exception?[] Run(int ranks, Action<NcclWorld> body, Func<int, NcclDevice>? device = null)
    {
        var worlds = new NcclWorld?[ranks];
        return RankThreads.Run(
            InProcessWorld.Create(ranks),
            control =>
            {
                using var world = NcclWorld.Join(control, device?.Invoke(control.Rank) ?? new NcclDevice(control.Rank));
                worlds[control.Rank] = world;
                try
                {
                    body(world);
                }
                catch (Exception failure) when (Abort(world, failure))
                {
                    throw;
                }
            },
            () => worlds.OfType<IWorld>()
        );
    }

    /// <summary>Runs a body that no rank may throw in.</summary>
    public static void RunAll(int ranks, Action<NcclWorld> body, Func<int, NcclDevice>? device = null)
    {
        foreach (var exception in Run(ranks, body, device))
            Assert.True(exception is null, exception?.ToString());
    }

    private static bool Abort(IWorld world, Exception failure)
    {
        world.Abort(failure.Message);
        return false;
    }
}
