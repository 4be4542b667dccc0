using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Loading;

/// <summary>Whatever happens to a byte of a checkpoint is found, by <c>verify</c> and at load, and named.</summary>
public sealed class DamageTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _good;

    public DamageTests()
    {
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model(world.Rank).Fill(1);
                using var store = new CheckpointStore(_folder.Path, world);
                return store.Save(model.State(3));
            }
        );
        _good = _folder["step-00000003"];
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheUntouchedOneIsGood() => Assert.Empty(CheckpointReader.Open(_good).Verify());

    [Fact]
    public void EveryFlippedByteIsFound()
    {
        var random = new Random(5);
        string[] files = Directory.GetFiles(_good).Order().ToArray();
        for (int trial = 0; trial < 1000; trial++)
        {
            string path = files[trial % files.Length];
            byte[] bytes = File.ReadAllBytes(path);
            int index = random.Next(bytes.Length);
            byte old = bytes[index];
            bytes[index] ^= (byte)random.Next(1, 256);
            File.WriteAllBytes(path, bytes);
            ProveFound(path, $"byte {index}");
            bytes[index] = old;
            File.WriteAllBytes(path, bytes);
        }
    }

    [Fact]
    public void EveryTruncationAndEveryLostFileIsFound()
    {
        var random = new Random(6);
        foreach (string path in Directory.GetFiles(_good))
        {
            byte[] bytes = File.ReadAllBytes(path);
            foreach (int length in Enumerable.Range(0, 40).Select(_ => random.Next(bytes.Length)).Append(0).Append(bytes.Length - 1))
            {
                File.WriteAllBytes(path, bytes[..length]);
                ProveFound(path, $"cut to {length}");
            }
            File.WriteAllBytes(path, [.. bytes, 0]);
            ProveFound(path, "a byte more");
            File.Delete(path);
            ProveFound(path, "lost");
            File.WriteAllBytes(path, bytes);
        }
    }

    [Fact]
    public void AFlippedByteOfATensorIsNamedWithItsTensor()
    {
        var reader = CheckpointReader.Open(_good);
        var parts = reader.PartsOf(reader["layers.0.w"]).ToArray();
        Assert.Equal(2, parts.Length);
        foreach (var part in parts)
        {
            string path = Path.Combine(_good, part.File);
            byte[] bytes = File.ReadAllBytes(path);
            bytes[part.Start + 5] ^= 0x10;
            File.WriteAllBytes(path, bytes);
            Assert.Contains($"{path}: tensor 'layers.0.w'", Assert.Single(CheckpointReader.Open(_good).Verify()));
            bytes[part.Start + 5] ^= 0x10;
            File.WriteAllBytes(path, bytes);
        }
    }

    private void ProveFound(string path, string what)
    {
        using var first = Model(0);
        using var second = Model(1);
        var (verified, loaded) = (
            Damage(() => Assert.NotEmpty(CheckpointReader.Open(_good).Verify())),
            Damage(() =>
            {
                CheckpointReader.Open(_good).Load([.. first.Slices, .. second.Slices]);
                Assert.Fail($"{path}, {what}: not found at load");
            })
        );
        Assert.True(verified is null || verified.Contains(Path.GetFileName(path)), $"{what}: {verified}");
        Assert.True(loaded?.Contains(Path.GetFileName(path)), $"{what}: {loaded}");
    }

    private static string? Damage(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (CheckpointDamagedException damage)
        {
            return damage.Message;
        }
    }

    private static Tensors Model(int rank) =>
        new Tensors()
            .Add("embedding.w", ElementType.Float32, [16, 16])
            .Add("layers.0.w", ElementType.BFloat16, [8, 16], [0, 8 * rank], [8, 8])
            .Add("head.w", ElementType.Float32, [64]);
}
