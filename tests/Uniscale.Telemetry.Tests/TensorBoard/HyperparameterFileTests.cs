using System.Text;
using Uniscale.Telemetry.TensorBoard;

namespace Uniscale.Telemetry.Tests.TensorBoard;

public sealed class HyperparameterFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-hyperparameters-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>
    /// Bytes by the published messages: a map entry holds the key in field 1 and a Value in field 2, whose number is field 2, text 3, flag
    /// 4.
    /// </summary>
    [Fact]
    public void ValuesAreNumbersFlagsOrTexts()
    {
        var values = new Dictionary<string, string>
        {
            ["optimizer.lr"] = "3e-4",
            ["model.tied"] = "true",
            ["parallel.schedule"] = "1f1b",
        };
        HyperparameterFile.Write(_folder, values, hasSucceeded: true);
        HyperparameterFile.Write(_folder, values, hasSucceeded: true);
        string file = Assert.Single(Directory.GetFiles(_folder));
        byte[] bytes = File.ReadAllBytes(file);
        foreach (string text in (string[])["_hparams_/session_start_info", "_hparams_/session_end_info", "hparams"])
            Assert.True(bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) > 0, text);
        Assert.True(bytes.AsSpan().IndexOf([.. "\n\foptimizer.lr\u0012\t\u0011"u8, .. BitConverter.GetBytes(3e-4)]) > 0);
        Assert.True(bytes.AsSpan().IndexOf("\n\nmodel.tied\u0012\u0002\u0020\u0001"u8) > 0);
        Assert.True(bytes.AsSpan().IndexOf("\n\u0011parallel.schedule\u0012\u0006\u001a\u00041f1b"u8) > 0);
    }
}
