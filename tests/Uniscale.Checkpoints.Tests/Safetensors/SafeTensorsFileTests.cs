using System.Buffers.Binary;
using System.Text;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Safetensors;

public sealed class SafeTensorsFileTests
{
    [Fact]
    public void WhatIsWrittenIsReadBack()
    {
        using var folder = new TempFolder();
        using var model = new Tensors()
            .Add("a", ElementType.Float32, [3, 5])
            .Add("b \"中\"", ElementType.BFloat16, [7])
            .Add("empty", ElementType.Int64, [0, 4]);
        SafeTensorsFile.Write(
            folder["x.safetensors"],
            [.. model.Fill(1).Slices.Select(slice => new SafeTensorsSource(slice.Name, slice.Type, slice.Shape, slice.Address))],
            new Dictionary<string, string> { ["format"] = "pt" }
        );
        model.Fill(2);
        using var file = SafeTensorsFile.Open(folder["x.safetensors"]);
        foreach (var slice in model.Slices)
        {
            Assert.Equal((slice.Type, slice.SizeBytes), (file[slice.Name].ElementType, file[slice.Name].SizeBytes));
            file.Read(file[slice.Name], slice.Address);
        }
        Assert.Null(model.FirstDifference(1));
        Assert.Equal("pt", file.Header.Metadata["format"]);
        Assert.Throws<CheckpointMismatchException>(() => file["c"]);
    }

    [Fact]
    public void AFileWithTypesOfOthersIsRead()
    {
        using var folder = new TempFolder();
        string header =
            """{"__metadata__":{"made":"elsewhere"},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"flag":{"dtype":"BOOL","shape":[1],"data_offsets":[16,17]}}   """;
        using var file = SafeTensorsFile.Open(Write(folder, header, 17));
        byte[] bytes = new byte[16];
        file.Read(file["w"], 0, bytes);
        Assert.Equal(Enumerable.Range(0, 16).Select(i => (byte)i), bytes);
        Assert.Contains("type BOOL", Assert.Throws<CheckpointException>(() => file["flag"].ElementType).Message);
    }

    [Theory]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""",
        12,
        "overlaps"
    )]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "hole")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "end at byte")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "end at byte")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "'a' is not the size")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}""", 8, "'a' is not the size")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}""", 0, "not what the format asks")]
    [InlineData("""{"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}}""", 8, "unknown type 'Q4'")]
    [InlineData("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8, "not what the format asks")]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}""",
        8,
        "not what the format asks"
    )]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""", 8, "not what the format asks")]
    [InlineData("""[1,2]""", 0, "not what the format asks")]
    public void AMalformedHeaderIsRefusedBySentence(string header, int dataBytes, string expected)
    {
        using var folder = new TempFolder();
        var failure = Assert.Throws<CheckpointDamagedException>(() => SafeTensorsFile.Open(Write(folder, header, dataBytes)));
        Assert.Contains(expected, failure.Message);
        Assert.Contains("x.safetensors", failure.Message);
    }

    [Theory]
    [InlineData(100_000_001L, "claims 100000001 bytes")]
    [InlineData(-1L, "claims 18446744073709551615 bytes")]
    [InlineData(50L, "longer than the file")]
    public void AnImpossibleHeaderLengthIsRefused(long length, string expected)
    {
        using var folder = new TempFolder();
        string path = Write(folder, "{}", 4);
        byte[] bytes = File.ReadAllBytes(path);
        BinaryPrimitives.WriteInt64LittleEndian(bytes, length);
        File.WriteAllBytes(path, bytes);
        Assert.Contains(expected, Assert.Throws<CheckpointDamagedException>(() => SafeTensorsFile.Open(path)).Message);
        File.WriteAllBytes(path, bytes[..5]);
        Assert.Contains("shorter than 8", Assert.Throws<CheckpointDamagedException>(() => SafeTensorsFile.Open(path)).Message);
    }

    /// <summary>Many tensors of no bytes are a valid file, and reading them takes time in proportion.</summary>
    [Fact]
    public void FourHundredThousandEmptyTensorsAreRead()
    {
        using var folder = new TempFolder();
        string path = Write(
            folder,
            "{"
                + string.Join(
                    ",",
                    Enumerable.Range(0, 400_000).Select(i => $"\"t{i}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}")
                )
                + "}",
            0
        );
        using var file = SafeTensorsFile.Open(path);
        Assert.Equal(400_000, file.Header.Entries.Count);
    }

    private static string Write(TempFolder folder, string header, int dataBytes)
    {
        string path = folder["x.safetensors"];
        byte[] json = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(
            path,
            [.. BitConverter.GetBytes((long)json.Length), .. json, .. Enumerable.Range(0, dataBytes).Select(i => (byte)i)]
        );
        return path;
    }
}
