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
        ThreadWorld.Run(2, world =>
        {
            using var model = new Tensors().Add("w", ElementType.Float32, [8, 4], [world.Rank * 4, 0], [4, 4]).Add("b", ElementType.Float32, [4]).Fill(1);
            using var store = new CheckpointStore(_folder.Path, world);
            return store.Save(model.State(3));
        });
        _path = _folder["step-00000003"];
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Writes another manifest, with a marker that fits it.</summary>
    private void Write(string json) => Write(_path, Encoding.UTF8.GetBytes(json));

    internal static void Write(string folder, byte[] bytes)
    {
        File.WriteAllBytes(Path.Combine(folder, CheckpointManifest.FileName), bytes);
        File.WriteAllBytes(Path.Combine(folder, CommitMarker.FileName), new CommitMarker(3, 1, false, "a", bytes.Length, Digest.Of(bytes)).ToBytes());
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
    [InlineData("tensors", "null", "a field is null")]
    [InlineData("files", "[null]", "is no name of a file")]
    [InlineData("tensors", "[null]", "a tensor has no name, shape or slices")]
    [InlineData("step", "-1", "are no position of a run")]
    [InlineData("tensors", "7", "is no manifest")]
    [InlineData("format_version", "\"x\"", "is no manifest")]
    public void ANumberThatAsksForTooMuchIsRefused(string key, string value, string expected) =>
        Assert.Contains(expected, Refusal(manifest => manifest[key] = JsonNode.Parse(value)));

    [Theory]
    [InlineData("""{"shape":[-1]}""", "has the shape [-1]")]
    [InlineData("""{"shape":[9223372036854775807,9223372036854775807]}""", "has the shape")]
    [InlineData("""{"slices":[]}""", "has 32 elements, its slices 0")]
    [InlineData("""{"slices":null}""", "has no name, shape or slices")]
    [InlineData("""{"name":"b"}""", "there are two tensors 'b'")]
    public void ATensorIsWhatItsSlicesMakeUp(string changes, string expected) =>
        Assert.Contains(expected, Refusal(manifest => Change(manifest["tensors"]![1]!, changes)));

    [Theory]
    [InlineData("""{"file":99}""", "a slice lies in file 99 of 2")]
    [InlineData("""{"file":-1}""", "a slice lies in file -1 of 2")]
    [InlineData("""{"start":0}""", "a slice lies at byte 0")]
    [InlineData("""{"start":9223372036854775807}""", "a slice lies at byte 9223372036854775807")]
    [InlineData("""{"offset":[0,4]}""", "a slice does not lie within it")]
    [InlineData("""{"shape":[-4,4]}""", "a slice does not lie within it")]
    [InlineData("""{"offset":[4,0]}""", "overlap")]
    [InlineData("""{"shape":[3,4]}""", "has 32 elements, its slices 28")]
    [InlineData("""{"digests":""}""", "a slice of 1 chunks has 0 digits of digests, not 32")]
    [InlineData("""{"digests":null}""", "a slice does not lie within it")]
    public void ASliceLiesWhereItSays(string changes, string expected) =>
        Assert.Contains(expected, Refusal(manifest => Change(manifest["tensors"]![1]!["slices"]![0]!, changes)));

    [Fact]
    public void ManySlicesAreProvedInTheirOrder()
    {
        ThreadWorld.Run(1, world =>
        {
            using var model = new Tensors();
            for (int row = 0; row < 3000; row++)
                model.Add("w", ElementType.Float32, [3000, 2], [row, 0], [1, 2]);
            using var store = new CheckpointStore(_folder["many"], world);
            return store.Save(model.Fill(1).State(3));
        });
        Assert.Empty(CheckpointReader.Open(_folder["many/step-00000003"]).Verify());
    }

    [Fact]
    public void OnlyTheOwnerReadsTheConfiguration()
    {
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_path, CheckpointManifest.FileName)));
    }

    private static void Change(JsonNode node, string changes)
    {
        foreach (var (key, value) in JsonNode.Parse(changes)!.AsObject())
            node[key] = value?.DeepClone();
    }
}
