using System.Runtime.InteropServices;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Uniscale.Torch.Tests;

[Collection("live handles are counted for the whole process")]
public sealed class AttentionBackendsTests
{
    [Fact]
    public void OnlyAFlashKernelIsTakenAndWhatNoneFitsThrows()
    {
        using var scope = NewDisposeScope();
        var q = randn([1, 2, 16, 8]);
        var mask = zeros([1, 2, 16, 16]).requires_grad_();
        using (AttentionBackends.OnlyFlash())
        {
            functional.scaled_dot_product_attention(q, q, q, is_casual: true);
            var failure = Assert.Throws<ExternalException>(() => functional.scaled_dot_product_attention(q, q, q, mask));
            Assert.Contains("No available kernel", failure.Message);
        }
        functional.scaled_dot_product_attention(q, q, q, mask);
    }
}
