using System.Text;
using System.Text.Json.Nodes;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Format;

/// <summary>A manifest whose digest is right may still mean ill: what it says is held against the folder before anything is read.</summary>
public sealed class ManifestRulesTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _path;

    public ManifestRulesTests()
    {
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = new Tensors()
                    .Add("w", ElementType.Float32, [8, 4], [world.Rank * 4, 0], [4, 4])
                    .Add("b", ElementType.Float32, [4])
                    .Fill(1);
                using var store = new CheckpointStore(_folder.Path, world);
                return store.Save(model.State(3));
            }
        );
        _path = _folder["step-00000003"];
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Writes another manifest, with a marker that fits it.</summary>
    private void Write(string json) => Write(_path, Encoding.UTF8.GetBytes(json));

    internal static void Write(string folder, byte[] bytes)
    {
        File.WriteAllBytes(Path.Combine(folder, CheckpointManifest.FileName), bytes);
        File.WriteAllBytes(
            Path.Combine(folder, CommitMarker.FileName),
            new CommitMarker(3, 1, false, "a", bytes.Length, Digest.Of(bytes)).ToBytes()
        );
    }

    private JsonObject Manifest() => JsonNode.Parse(File.ReadAllText(Path.Combine(_path, CheckpointManifest.FileName)))!.AsObject();

    private string Refusal(Action<JsonObject> change)
    {
        var manifest = Manifest();
        change(manifest);
        Write(manifest.ToJsonString());
        string message = Assert.Throws<CheckpointDamagedException>(() => CheckpointReader.Open(_path)).Message;
        return message;
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../../secret")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a/b")]
    public void AFileNameLeadsNowhereElse(string name) =>
        Assert.Contains("is no name of a file in the folder", Refusal(manifest => manifest["files"]![0]!["name"] = name));

    [Fact]
    public void ALinkIsNoDataFile()
    {
        string file = Path.Combine(_path, "rank-00001.safetensors");
        File.Move(file, _folder["elsewhere"]);
        File.CreateSymbolicLink(file, _folder["elsewhere"]);
        Assert.Contains("is a link to", Assert.Throws<CheckpointDamagedException>(() => CheckpointReader.Open(_path)).Message);
    }

    [Theory]
    [InlineData("chunk_bytes", "0", "chunk_bytes is 0")]
    [InlineData("chunk_bytes", "-1", "chunk_bytes is -1")]
    [InlineData("chunk_bytes", "2147483647", "chunk_bytes is 2147483647")]
    [InlineData("files", "null", "a field is null")]
    [InlineData("shards", "null", "a field is null")]
    [InlineData("tilings", "null", "a field is null")]
    [InlineData("tensors", "null", "a field is null")]
    [InlineData("files", "[null]", "is no name of a file")]
    [InlineData("shards", "[null]", "a shard lies in file  of 2")]
    [InlineData("shards", "[]", "has 8192 bytes, its header and shards 4096")]
    [InlineData("tilings", "[null]", "tiling 0 has no parts or the shape")]
    [InlineData("tilings", "[]", "tensor 'b' has tiling 0 of 0")]
    [InlineData("tensors", "[null]", "tensor '' has tiling  of 2")]
    [InlineData("step", "-1", "are no position of a run")]
    [InlineData("tensors", "7", "is no manifest")]
    [InlineData("format_version", "\"x\"", "is no manifest")]
    [InlineData("format_version", "null", "is no manifest")]
    public void ANumberThatAsksForTooMuchIsRefused(string key, string value, string expected) =>
        Assert.Contains(expected, Refusal(manifest => manifest[key] = JsonNode.Parse(value)));

    [Theory]
    [InlineData("""{"tiling":2}""", "tensor 'w' has tiling 2 of 2")]
    [InlineData("""{"tiling":-1}""", "tensor 'w' has tiling -1 of 2")]
    [InlineData("""{"name":"b"}""", "there are two tensors 'b'")]
    [InlineData("""{"name":""}""", "tensor '' has tiling")]
    [InlineData("""{"type":"Float128"}""", "is no manifest")]
    public void ATensorHasANameATypeAndATiling(string changes, string expected) =>
        Assert.Contains(expected, Refusal(manifest => Change(manifest["tensors"]![1]!, changes)));

    [Theory]
    [InlineData("""{"file":99}""", "a shard lies in file 99 of 2")]
    [InlineData("""{"start":0}""", "begins at byte 0, what is before it ends at 4096")]
    [InlineData("""{"start":9223372036854775807}""", "begins at byte 9223372036854775807")]
    [InlineData("""{"size_bytes":4095}""", "has 8192 bytes, its header and shards 8191")]
    [InlineData("""{"size_bytes":-1}""", "has -1 bytes")]
    [InlineData("""{"digest":null}""", "and the digest ''")]
    public void HeaderAndShardsMakeAFileUp(string changes, string expected) =>
        Assert.Contains(expected, Refusal(manifest => Change(manifest["shards"]![0]!, changes)));

    [Theory]
    [InlineData("""{"shape":[-1,4]}""", "the shape [-1, 4]")]
    [InlineData("""{"shape":[9223372036854775807,9223372036854775807]}""", "the shape [9223372036854775807")]
    [InlineData("""{"parts":[]}""", "its parts have 0 of its 32 elements")]
    [InlineData("""{"parts":null}""", "has no parts")]
    [InlineData("""{"parts":[null]}""", "has a part that is not a shard from 0 to 1, 2 offsets")]
    [InlineData("""{"parts":[[0,0,0,8]]}""", "has a part that is not a shard from 0 to 1, 2 offsets")]
    [InlineData("""{"parts":[[2,0,0,8,4]]}""", "has a part that is not a shard from 0 to 1")]
    [InlineData("""{"parts":[[1,0,0,4,4],[0,4,0,4,4]]}""", "has a part that is not a shard from 1 to 1")]
    [InlineData("""{"parts":[[0,0,0,4,4],[1,4,0,5,4]]}""", "does not lie within [8, 4]")]
    [InlineData("""{"parts":[[0,0,0,-4,4],[1,4,0,4,4]]}""", "does not lie within [8, 4]")]
    [InlineData("""{"parts":[[0,0,0,4,4],[1,3,0,4,4]]}""", "its parts at [0, 0] and [3, 0] overlap")]
    [InlineData("""{"parts":[[0,0,0,4,4],[1,5,0,3,4]]}""", "its parts have 28 of its 32 elements")]
    public void PartsCoverATensorOnce(string changes, string expected) =>
        Assert.Contains(
            expected,
            Refusal(manifest => Change(manifest["tilings"]!.AsArray().First(tiling => tiling!["shape"]!.AsArray().Count == 2)!, changes))
        );

    /// <summary>Parts that make a tensor up, but are not those that the file was written with.</summary>
    [Fact]
    public void AFileHoldsWhatItsPartsSay()
    {
        var manifest = Manifest();
        Change(manifest["tensors"]![1]!, """{"type":"Float64"}""");
        Change(manifest["tensors"]![0]!, """{"type":"Float64"}""");
        foreach (var shard in manifest["shards"]!.AsArray())
            Change(shard!, """{"size_bytes":8192}""");
        foreach (var file in manifest["files"]!.AsArray())
            Change(file!, """{"size_bytes":12288}""");
        Write(manifest.ToJsonString());
        var parts = CheckpointReader.Open(_path, proveSizes: false).Manifest.Parts;
        Assert.Contains("which are not those of its parts", Assert.Throws<CheckpointDamagedException>(() => parts.In(0).ToArray()).Message);
    }

    [Fact]
    public void ManySlicesAreProvedInTheirOrder()
    {
        ThreadWorld.Run(
            1,
            world =>
            {
                using var model = new Tensors();
                for (int row = 0; row < 3000; row++)
                    model.Add("w", ElementType.Float32, [3000, 2], [row, 0], [1, 2]);
                using var store = new CheckpointStore(_folder["many"], world);
                return store.Save(model.Fill(1).State(3));
            }
        );
        Assert.Empty(CheckpointReader.Open(_folder["many/step-00000003"]).Verify());
    }

    [Fact]
    public void OnlyTheOwnerReadsTheConfiguration()
    {
        if (!OperatingSystem.IsWindows())
            Assert.Equal(
                UnixFileMode.UserRead | UnixFileMode.UserWrite,
                File.GetUnixFileMode(Path.Combine(_path, CheckpointManifest.FileName))
            );
    }

    private static void Change(JsonNode node, string changes)
    {
        foreach (var (key, value) in JsonNode.Parse(changes)!.AsObject())
            node[key] = value?.DeepClone();
    }
}

/// <summary>The rules of format 1, in which every part stands in the manifest.</summary>
public sealed class ManifestRules1Tests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{"shape":[-1]}""", "has the shape [-1]")]
    [InlineData("""{"shape":[9223372036854775807,9223372036854775807]}""", "has the shape")]
    [InlineData("""{"slices":[]}""", "its parts have 0 of its 2400 elements")]
    [InlineData("""{"slices":null}""", "has no name, shape or slices")]
    [InlineData("""{"name":"whole"}""", "there are two tensors 'whole'")]
    public void ATensorIsWhatItsSlicesMakeUp(string changes, string expected) => Assert.Contains(expected, Refusal(Cut, changes));

    [Theory]
    [InlineData("""{"file":99}""", "a slice lies in file 99 of 2")]
    [InlineData("""{"file":-1}""", "a slice lies in file -1 of 2")]
    [InlineData("""{"start":0}""", "a slice lies at byte 0")]
    [InlineData("""{"start":9223372036854775807}""", "a slice lies at byte 9223372036854775807")]
    [InlineData("""{"offset":[0,4]}""", "a slice does not lie within it")]
    [InlineData("""{"shape":[-4,300]}""", "a slice does not lie within it")]
    [InlineData("""{"offset":[4,0]}""", "overlap")]
    [InlineData("""{"digests":""}""", "a slice of 1 chunks has 0 digits of digests, not 32")]
    [InlineData("""{"digests":"zz23456789abcdef0123456789abcdef"}""", "digests that are not hexadecimal digits")]
    [InlineData("""{"digests":null}""", "a slice does not lie within it")]
    public void ASliceLiesWhereItSays(string changes, string expected) =>
        Assert.Contains(expected, Refusal(manifest => Cut(manifest)["slices"]![0]!, changes));

    private static JsonNode Cut(JsonNode manifest) => manifest["tensors"]!.AsArray().First(tensor => (string?)tensor!["name"] == "cut")!;

    private string Refusal(Func<JsonNode, JsonNode> place, string changes)
    {
        var manifest = JsonNode.Parse(
            File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", "format-1", "step-00000042", CheckpointManifest.FileName))
        )!;
        var node = place(manifest);
        foreach (var (key, value) in JsonNode.Parse(changes)!.AsObject())
            node[key] = value?.DeepClone();
        Directory.CreateDirectory(_folder["step-00000003"]);
        ManifestRulesTests.Write(_folder["step-00000003"], Encoding.UTF8.GetBytes(manifest.ToJsonString()));
        return Assert.Throws<CheckpointDamagedException>(() => CheckpointReader.Open(_folder["step-00000003"])).Message;
    }
}
