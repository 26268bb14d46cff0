package bpfscan
import ("testing";"time";"os/exec")
func TestTmp(t *testing.T){
 s,err:=Open(Options{Network:true,Events:true,CommandLine:true}); if err!=nil {t.Fatal(err)}
 defer s.Close()
 s.Scan()
 c:=exec.Command("sh","-c","dd if=/var/tmp/bpfscan.dd iflag=direct bs=64k of=/dev/null 2>/dev/null; cat /proc/self/stat | cut -d' ' -f42 >/dev/null; read x"); in,_:=c.StdinPipe(); c.Start()
 for k:=0;k<4;k++ { time.Sleep(700*time.Millisecond); snap,_:=s.Scan(); for _,p:=range snap.Processes { if p.BlockDelay>1e-3 || p.Name=="dd" { t.Log(k,p.PID,p.Name,p.Threads,p.BlockDelay) } }; for _,x:=range snap.Exited { if x.Name=="dd" {t.Log(k,"exit",x.Name,x.BlockDelay,x.ReadBytes, x.RunDelay)} }}
 in.Close(); c.Wait()
}
